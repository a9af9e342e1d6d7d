// Jobs, cut into pieces: which piece is read next, from which copy, and when a job is done.
//
// Urgent jobs come first, else they keep their order. A piece goes to the copy that will probably have read it first, by what is on the way
// there and how fast it has been; if that one is busy, nothing goes anywhere, so that a slow drive gets no piece that a job would wait for.
// A piece that fails is read once more, from another copy where there is one. What this does not do: read.

#pragma once

#include "files.hpp"
#include "reader.hpp"

#include <chrono>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <unordered_map>

namespace kimicode::reading {

// Bytes of one file, whole sectors, of which the first `needed` must be there.
struct Piece {
    uint64_t   job;
    int        file, copy;
    uint64_t   offset;
    size_t     bytes, needed;
    std::byte *into;
    size_t     got = 0;           // so far
    int        interruptions = 0; // by signals, and by a system that had no memory
    int        failures = 0;
};

enum class Step { READ, AGAIN, FAILED };

// What comes after the system read so many bytes of a piece, from where `rest` said, or said why not: AGAIN, the rest is to be read. For
// FAILED, `error` is errno's number, or 0 where the file ended.
Step advance(Piece &, long result, int &error);

// What of a piece is still to be read: whole sectors.
struct Rest {
    std::byte *into;
    size_t     bytes;
    uint64_t   offset;
};
Rest rest(const Piece &);

class Queue {
  public:
    // `wake` is called when `take` may have something again.
    Queue(Files &, const ReaderOptions &, Reader::Done, std::function<void()> wake);
    ~Queue();

    void begin(uint64_t job, const std::vector<Read> &, bool urgent);
    void hurry(uint64_t job);
    bool cancel(uint64_t job);
    void close(); // jobs that have not begun fail

    // A piece to read now from this copy, or from any (-1); false where there is none. Waits for one, if `wait`: then false is the end.
    bool take(Piece &, int copy, bool wait);
    bool over() const;
    // A piece that was taken is read, or failed for good with this errno's number, 0 for the end of the file.
    void read(const Piece &);
    void failed(Piece, int error);

    ReaderCounts counts() const;

  private:
    using Clock = std::chrono::steady_clock;
    using Lock = std::unique_lock<std::mutex>;

    struct Span { // what belongs together of a job's ranges; offset and memory begin with a sector
        int        file;
        uint64_t   offset, end;
        std::byte *into;
    };
    struct Job {
        std::vector<Span> spans;
        size_t            span = 0;   // the next piece is of this one
        bool              urgent = false, begun = false;
        size_t            on_the_way = 0; // pieces, or to be tried again
        std::string       error;
    };
    struct Copy {
        std::deque<Piece>       ready;
        std::condition_variable some;
        int                     taken = 0; // pieces on the way, also those that are ready
        uint64_t                outstanding = 0;
        double                  bytes = 0, seconds = 0; // read lately, in so much time with anything on the way
        Clock::time_point       last;
    };
    struct End {
        uint64_t    job;
        std::string error;
    };

    static std::vector<Span> spans_of(const std::vector<Read> &);
    std::string              outside(const std::vector<Span> &) const;
    std::deque<uint64_t>    &line_of(const Job &job) { return job.urgent ? urgent_ : patient_; }
    void                     leave_line(uint64_t id, const Job &);
    Piece                    next_of(uint64_t id, const Job &) const;
    void                     sent(Job &, const Piece &);
    void                     dispatch();
    bool                     send(const Piece &, int avoid);
    int                      best(size_t bytes, int avoid) const;
    void                     settle(Clock::time_point now);
    void                     back(const Piece &);
    void                     finish(uint64_t id, Lock &);
    void                     end(uint64_t job, std::string error, Lock &);
    bool                     is_over() const { return closed_ && jobs_.empty() && ends_.empty(); }

    Files                             &files_;
    const size_t                       piece_;
    const int                          depth_;
    Reader::Done                       done_;
    std::function<void()>              wake_;
    mutable std::mutex                 mutex_;
    std::unordered_map<uint64_t, Job>  jobs_;
    std::deque<uint64_t>               urgent_, patient_; // jobs with more pieces to send
    std::deque<Piece>                  again_;            // that failed once
    std::deque<End>                    ends_;             // jobs that a thread of the reader has to say are done
    std::deque<Copy>                   copies_;
    bool                               closed_ = false;
    ReaderCounts                       counts_{};
    int                                taken_ = 0;
    Clock::time_point                  last_;
};

} // namespace kimicode::reading
