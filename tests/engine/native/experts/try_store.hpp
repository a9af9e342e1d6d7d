// A reader for tests of the store, which reads what and when the test says: the byte at an offset is known, no file is.

#pragma once

#include "experts/store.hpp"

#include <algorithm>
#include <condition_variable>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <list>
#include <mutex>
#include <thread>

namespace kimicode {

inline std::byte byte_at(uint64_t offset) { return static_cast<std::byte>((offset * 2654435761u) >> 13); }

constexpr uint64_t PART_BYTES = 1000; // not a multiple of anything: parts begin anywhere in a sector

// Experts one behind the other, in one file that exists but for its bytes.
inline StoreOptions options_of(const std::string &folder, int layers, int experts, int places, const std::string &policy = "lru") {
    std::string path = folder + "/experts";
    std::ofstream(path).close();
    std::filesystem::resize_file(path, PART_BYTES * PARTS * layers * experts);
    StoreOptions options;
    options.files.copies = {{path}};
    options.layers = layers;
    options.experts = experts;
    for (uint64_t i = 0; i < (uint64_t)layers * experts; ++i) {
        ExpertRanges ranges;
        for (uint64_t part = 0; part < PARTS; ++part) ranges[part] = {0, (i * PARTS + part) * PART_BYTES, PART_BYTES};
        options.ranges.push_back(ranges);
    }
    options.memory = (uint64_t)places * 2 * SECTOR; // an expert lies in two sectors at most
    options.policy = policy;
    return options;
}

class FakeReader final : public Reader {
  public:
    struct Job {
        uint64_t          id;
        int               expert; // over all layers
        bool              urgent, hurried, begun;
        std::vector<Read> reads;
    };

    explicit FakeReader(Done done) : done_(std::move(done)) {}
    ~FakeReader() override {
        if (worker_.joinable()) {
            {
                std::lock_guard lock(mutex_);
                over_ = true;
            }
            changed_.notify_all();
            worker_.join();
        }
        for (Job &job : jobs_) done_(job.id, "the reader ended");
    }

    void begin(uint64_t id, std::vector<Read> reads, bool urgent) override {
        std::lock_guard lock(mutex_);
        int expert = static_cast<int>(reads.at(0).range.offset / PART_BYTES / PARTS);
        jobs_.push_back({id, expert, urgent, false, false, std::move(reads)});
        changed_.notify_all();
    }
    void hurry(uint64_t id) override {
        std::lock_guard lock(mutex_);
        for (Job &job : jobs_)
            if (job.id == id && !job.urgent) job.hurried = true;
    }
    bool cancel(uint64_t id) override {
        std::lock_guard lock(mutex_);
        auto found = std::find_if(jobs_.begin(), jobs_.end(), [&](const Job &job) { return job.id == id && !job.begun; });
        if (found == jobs_.end()) return false;
        jobs_.erase(found);
        return true;
    }
    ReaderCounts counts() const override { return {}; }

    std::vector<Job> jobs() const {
        std::lock_guard lock(mutex_);
        return {jobs_.begin(), jobs_.end()};
    }
    std::vector<int> wanted() const {
        std::vector<int> experts;
        for (const Job &job : jobs()) experts.push_back(job.expert);
        return experts;
    }

    // What was asked for is on the way: it can't be cancelled any more.
    void begin_all() {
        std::lock_guard lock(mutex_);
        for (Job &job : jobs_) job.begun = true;
    }
    // This expert has been read, or not. False where nobody wanted it.
    bool finish(int expert, const std::string &error = "") {
        std::unique_lock lock(mutex_);
        auto found = std::find_if(jobs_.begin(), jobs_.end(), [&](const Job &job) { return job.expert == expert; });
        if (found == jobs_.end()) return false;
        Job job = std::move(*found);
        jobs_.erase(found);
        lock.unlock();
        if (error.empty())
            for (const Read &read : job.reads)
                for (uint64_t i = 0; i < read.range.bytes; ++i) read.into[read.range.offset % SECTOR + i] = byte_at(read.range.offset + i);
        done_(job.id, error);
        return true;
    }
    void finish_all() {
        while (!jobs().empty()) finish(jobs()[0].expert);
    }
    // From now on a thread of its own reads whatever is wanted.
    void work() {
        worker_ = std::thread([this] {
            for (;;) {
                int expert;
                {
                    std::unique_lock lock(mutex_);
                    changed_.wait(lock, [this] { return over_ || !jobs_.empty(); });
                    if (over_) return;
                    expert = jobs_.front().expert;
                    jobs_.front().begun = true;
                }
                finish(expert);
            }
        });
    }

  private:
    Done                    done_;
    mutable std::mutex      mutex_;
    std::condition_variable changed_;
    std::list<Job>          jobs_;
    std::thread             worker_;
    bool                    over_ = false;
};

struct Opened {
    FakeReader            *reader = nullptr;
    std::unique_ptr<Store> store;

    explicit Opened(const StoreOptions &options) {
        store = Store::open(options, [this](const ReaderOptions &, Reader::Done done) {
            auto made = std::make_unique<FakeReader>(std::move(done));
            reader = made.get();
            return made;
        });
    }
};

// Whether the expert's bytes are its own.
inline bool right(const ExpertBytes &bytes, const StoreOptions &options, int layer) {
    const ExpertRanges &ranges = options.ranges[(size_t)layer * options.experts + bytes.expert];
    for (int part = 0; part < PARTS; ++part)
        for (uint64_t i = 0; i < ranges[part].bytes; ++i)
            if (bytes.parts[part][i] != byte_at(ranges[part].offset + i)) return false;
    return true;
}

} // namespace kimicode
