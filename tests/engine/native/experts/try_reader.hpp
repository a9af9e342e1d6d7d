// A reader on a system that fails when it is told to, and jobs whose bytes are compared with the file's: for try_reader*.cpp.

#pragma once

#include "experts/reader_open.hpp"
#include "experts/uring.hpp"

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <fstream>
#include <map>
#include <mutex>
#include <random>
#include <system_error>

namespace kimicode::reading {

using Bytes = std::vector<char>;

inline Bytes random_bytes(size_t count, unsigned seed) {
    std::mt19937_64 random(seed);
    Bytes           bytes(count);
    for (auto &byte : bytes) byte = (char)random();
    return bytes;
}

inline void write(const std::string &path, const Bytes &bytes) {
    std::ofstream(path, std::ios::binary).write(bytes.data(), (long)bytes.size());
}

// Shut, it holds whoever comes until it is opened.
class Gate {
  public:
    void shut() { set(false); }
    void open() { set(true); }
    void pass() {
        std::unique_lock lock(mutex_);
        ++waiting_;
        changed_.notify_all();
        changed_.wait(lock, [&] { return open_; });
        --waiting_;
    }
    void wait_for_one() {
        std::unique_lock lock(mutex_);
        changed_.wait(lock, [&] { return waiting_ > 0; });
    }

  private:
    void set(bool open) {
        std::lock_guard lock(mutex_);
        open_ = open;
        changed_.notify_all();
    }
    std::mutex              mutex_;
    std::condition_variable changed_;
    bool                    open_ = true;
    int                     waiting_ = 0;
};

// What happens to a read, which has this result: nothing, or another result.
using Fault = std::function<long(int descriptor, uint64_t offset, long result)>;

struct Faults {
    std::mutex mutex;
    Fault      fault;
    Gate       gate;

    void set(Fault next) {
        std::lock_guard lock(mutex);
        fault = std::move(next);
    }
    long apply(int descriptor, uint64_t offset, long result) {
        std::lock_guard lock(mutex);
        return fault ? fault(descriptor, offset, result) : result;
    }
};

struct Request {
    uint64_t   tag;
    int        descriptor;
    std::byte *into;
    size_t     bytes;
    uint64_t   offset;
};

// The kernel's ring, whose results are changed.
class FaultyRing final : public Ring {
  public:
    FaultyRing(std::unique_ptr<Ring> ring, const std::vector<int> &descriptors, Faults &faults)
        : ring_(std::move(ring)), descriptors_(descriptors), faults_(faults) {}
    void push(uint64_t tag, int index, std::byte *into, size_t bytes, uint64_t offset) override {
        requests_[tag] = {tag, descriptors_[index], into, bytes, offset};
        ring_->push(tag, index, into, bytes, offset);
    }
    void wait() override {
        if (!requests_.empty()) faults_.gate.pass();
        ring_->wait();
    }
    bool pop(uint64_t &tag, long &result) override {
        if (!ring_->pop(tag, result)) return false;
        Request request = requests_.at(tag);
        requests_.erase(tag);
        result = faults_.apply(request.descriptor, request.offset, result);
        return true;
    }
    void wake() override { ring_->wake(); }

  private:
    std::unique_ptr<Ring>       ring_;
    std::vector<int>            descriptors_;
    Faults                     &faults_;
    std::map<uint64_t, Request> requests_;
};

// A ring for systems that have none: it reads when it is waited for.
class OwnRing final : public Ring {
  public:
    OwnRing(const System &system, const std::vector<int> &descriptors) : system_(system), descriptors_(descriptors) {}
    void push(uint64_t tag, int index, std::byte *into, size_t bytes, uint64_t offset) override {
        requests_.push_back({tag, descriptors_[index], into, bytes, offset});
    }
    void wait() override {
        std::unique_lock lock(mutex_);
        if (requests_.empty()) woken_.wait(lock, [&] { return awake_; });
        awake_ = false;
    }
    bool pop(uint64_t &tag, long &result) override {
        if (requests_.empty()) return false;
        Request request = requests_.front();
        requests_.pop_front();
        tag = request.tag;
        result = system_.read(request.descriptor, request.into, request.bytes, request.offset);
        return true;
    }
    void wake() override {
        std::lock_guard lock(mutex_);
        awake_ = true;
        woken_.notify_one();
    }

  private:
    System                  system_;
    std::vector<int>        descriptors_;
    std::deque<Request>     requests_;
    std::mutex              mutex_;
    std::condition_variable woken_;
    bool                    awake_ = false;
};

// "threads", "own" ring, or the "kernel"'s, where there is one.
inline System faulty(const std::string &mode, Faults &faults) {
    System system = System::real(), real = system;
    system.read = [real, &faults](int descriptor, std::byte *into, size_t bytes, uint64_t offset) {
        faults.gate.pass();
        return faults.apply(descriptor, offset, real.read(descriptor, into, bytes, offset));
    };
    if (mode == "own")
        system.ring = [system](unsigned, const std::vector<int> &descriptors) { return std::make_unique<OwnRing>(system, descriptors); };
    else
        system.ring = [real, &faults](unsigned entries, const std::vector<int> &descriptors) {
            return std::make_unique<FaultyRing>(real.ring(entries, descriptors), descriptors, faults);
        };
    return system;
}

// Memory for a range.
struct Memory {
    explicit Memory(size_t bytes) : at(static_cast<std::byte *>(std::aligned_alloc(SECTOR, std::max(bytes, SECTOR)))) {}
    Memory(const Memory &) = delete;
    Memory &operator=(const Memory &) = delete;
    ~Memory() { std::free(at); }
    std::byte *at;
};

// Jobs and their ends.
class Jobs {
  public:
    Reader::Done done() {
        return [this](uint64_t job, const std::string &error) {
            std::lock_guard lock(mutex_);
            if (!errors_.emplace(job, error).second) errors_[job] = "done twice";
            order_.push_back(job);
            changed_.notify_all();
        };
    }
    // The job's error; waits for it.
    std::string error(uint64_t job) {
        std::unique_lock lock(mutex_);
        changed_.wait(lock, [&] { return errors_.count(job) > 0; });
        return errors_[job];
    }
    bool is_done(uint64_t job) {
        std::lock_guard lock(mutex_);
        return errors_.count(job) > 0;
    }
    std::vector<uint64_t> order() {
        std::lock_guard lock(mutex_);
        return order_;
    }

  private:
    std::mutex                      mutex_;
    std::condition_variable         changed_;
    std::map<uint64_t, std::string> errors_;
    std::vector<uint64_t>           order_;
};

// Read one range by itself: its error, or "wrong" where bytes are not the file's, or nothing.
inline std::string read_one(Reader &reader, Jobs &jobs, uint64_t job, Range range, const Bytes &file) {
    Memory memory(room(range));
    std::memset(memory.at, 0, room(range));
    reader.begin(job, {{range, memory.at}}, false);
    std::string error = jobs.error(job);
    if (!error.empty()) return error;
    return std::memcmp(memory.at + range.offset % SECTOR, file.data() + range.offset, range.bytes) ? "wrong" : "";
}

} // namespace kimicode::reading
