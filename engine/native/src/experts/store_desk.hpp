// Gets what loans ask for on to the shelf.
//
// What is there is given at once. The rest is read in the order asked for, as places become free; a prompt's loan has only some places at a
// time for what it brings in, so that what is there stays. A loan that has nothing comes first, and may take from another one what nobody
// waits for: so none waits for ever. What this does not do: know files' ranges beyond handing them to the reader.

#pragma once

#include "loan.hpp"
#include "store_shelf.hpp"

#include <condition_variable>
#include <mutex>
#include <thread>

namespace kimicode {

class Desk {
  public:
    Desk(const StoreOptions &, std::unique_ptr<Shelf>, const ReaderFactory &);
    ~Desk();

    int layers() const { return options_.layers; }
    int experts() const { return options_.experts; }

    // Raises std::out_of_range where there are no such experts.
    void check(int layer, std::span<const int> experts) const;

    // Of loans.
    void begin(Asked &);
    void end(Asked &);
    bool next(Asked &, ExpertBytes &, bool wait);
    void done(Asked &, int index);

    void        announce(int layer, std::span<const int> experts);
    void        resize(size_t places);
    void        warm();
    StoreCounts counts() const;

  private:
    using Lock = std::unique_lock<std::mutex>;

    void provide(); // a thread that makes places
    void finished(uint64_t job, const std::string &error); // a thread of the reader

    // With the lock held:
    void feed();
    bool start_next(Asked &);
    bool claim(int expert);
    void read(int expert, bool urgent);
    bool cancel(int expert);
    bool drop_announced();
    void forget_announced(int layer);
    bool announce_one(int expert);
    bool take_from_another(Asked &);
    void take(Asked &, int index, Stage);
    void give_up(Asked &, int index);
    void fail(Asked &, const std::string &error);
    void idle(Asked &);
    size_t window() const;
    size_t most_announced() const;

    StoreOptions           options_;
    mutable std::mutex     mutex_;
    std::unique_ptr<Shelf> shelf_;
    std::vector<Asked *>   loans_;
    std::vector<int>       announced_; // coming or there, whose layers were not computed since; first the first
    uint64_t               serial_ = 0, hits_ = 0, misses_ = 0;
    double                 waited_ = 0;
    bool                   closing_ = false;
    std::condition_variable room_;   // there may be more places, or it is over
    std::thread             warmer_; // from `warm` on
    std::unique_ptr<Reader> reader_; // last: its threads use what is above
};

} // namespace kimicode
