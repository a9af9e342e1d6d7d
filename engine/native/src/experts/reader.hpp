// Reads from a model's files, past the page cache, many at a time.
//
// A model may lie on several drives: then every file has several copies, and pieces of a read come from all of them, from each as fast as
// it can. A read that fails, or is short, is tried once more, from another copy where there is one. A file that has changed since it was
// opened fails. What this does not do: know experts or layers, or decide what to read.

#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace kimicode {

constexpr size_t SECTOR = 4096; // direct I/O wants offsets, lengths and memory in multiples of it

// Bytes of one of the model's files.
struct Range {
    int      file;
    uint64_t offset, bytes;
};

// How much memory a range needs, whose first byte is then at `offset % SECTOR` of it.
inline size_t room(const Range &r) { return (r.offset % SECTOR + r.bytes + SECTOR - 1) / SECTOR * SECTOR; }

struct Read {
    Range      range;
    std::byte *into; // aligned to SECTOR, `room(range)` bytes
};

struct ReaderOptions {
    std::vector<std::vector<std::string>> copies; // [copy][file]: paths; at least one copy
    size_t piece = 1 << 20; // bytes read at once, a multiple of SECTOR
    int    depth = 8;       // pieces on the way at a time, for each copy
    bool   direct = true;   // past the page cache where the file system can
    bool   uring = true;    // by io_uring where the system has it, else by threads
};

struct ReaderCounts {
    uint64_t bytes, reads, retries; // reads of pieces that succeeded; retries of those that failed
    uint64_t failures;              // jobs
    double   busy_seconds; // in which at least one piece was on the way
    bool     direct, uring;
};

class Reader {
  public:
    // Called once for every job, by a thread of the reader, with what went wrong: which file, where, and why; empty where all was read. It
    // may begin, hurry and cancel jobs; it must not throw, or close the reader.
    using Done = std::function<void(uint64_t job, const std::string &error)>;

    // Raises std::runtime_error where a file can't be opened, or copies differ in size.
    static std::unique_ptr<Reader> open(const ReaderOptions &, Done);
    virtual ~Reader() = default; // after all jobs that had begun; those that hadn't are done with an error

    // Several ranges as one job, `urgent` before all that are not. Any thread. Its number must not be that of a job that isn't done.
    virtual void begin(uint64_t job, std::vector<Read> reads, bool urgent) = 0;
    // Make a job urgent; nothing happens where it is done.
    virtual void hurry(uint64_t job) = 0;
    // Forget a job none of whose pieces is on the way yet: true, and `Done` is not called. False where that is too late.
    virtual bool cancel(uint64_t job) = 0;

    virtual ReaderCounts counts() const = 0;
    // How it reads, in a few words, and why not as it was asked to.
    virtual std::string note() const { return ""; }
};

} // namespace kimicode
