#include "reader_tune.hpp"

#include <algorithm>
#include <array>
#include <chrono>
#include <condition_variable>
#include <cstring>
#include <filesystem>
#include <mutex>
#include <new>
#include <random>
#include <stdexcept>
#include <utility>

namespace kimicode {
namespace {

constexpr uint64_t RUN = 8 << 20; // about a matrix of one of K2's experts
constexpr double   ENOUGH = 0.97; // of the fastest
constexpr int      ROUNDS = 3;

constexpr int    DEPTHS[] = {1, 2, 4, 8, 16, 32};
constexpr size_t PIECES[] = {256 << 10, 1 << 20, 4 << 20};
constexpr size_t MOST_ON_THE_WAY = 32 << 20; // bytes from each copy; more takes memory, and urgent reads wait behind it

using Clock = std::chrono::steady_clock;

struct Memory {
    // Written to, so that its pages are there when time is taken.
    explicit Memory(size_t bytes) : at(static_cast<std::byte *>(::operator new(bytes, std::align_val_t(SECTOR)))) { memset(at, 1, bytes); }
    Memory(Memory &&o) noexcept : at(std::exchange(o.at, nullptr)) {}
    ~Memory() { ::operator delete(at, std::align_val_t(SECTOR)); }
    std::byte *at;
};

// Some runs on the way all the time, each followed by another one until time is over.
class Trial {
  public:
    explicit Trial(const ReaderOptions &options) {
        reader_ = Reader::open(options, [this](uint64_t job, const std::string &error) { done(job, error); });
        for (const auto &path : options.copies[0]) all_ += sizes_.emplace_back(std::filesystem::file_size(path));
        if (all_ == 0) throw std::runtime_error(options.copies[0][0] + ": there is nothing in it to read");
        size_t together = 2 * options.piece * (size_t)options.depth * options.copies.size() / RUN + 2;
        for (size_t i = 0; i < together; ++i) memory_.emplace_back(RUN + SECTOR);
    }

    ReadRate run(const ReaderOptions &options, double seconds) {
        auto start = Clock::now();
        over_ = start + std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(seconds));
        running_ = memory_.size();
        for (uint64_t job = 0; job < memory_.size(); ++job) begin(job);
        std::unique_lock lock(mutex_);
        ended_.wait(lock, [&] { return running_ == 0; });
        if (!error_.empty()) throw std::runtime_error(error_);
        auto   counts = reader_->counts();
        double took = std::chrono::duration<double>(Clock::now() - start).count();
        return {options.piece, options.depth, (double)counts.bytes / took, counts.direct, counts.uring};
    }

  private:
    Range somewhere() {
        uint64_t at = random_() % all_;
        int      file = 0;
        for (; at >= sizes_[file]; ++file) at -= sizes_[file];
        uint64_t bytes = std::min(RUN, sizes_[file]);
        return {file, std::min(at, sizes_[file] - bytes) / SECTOR * SECTOR, bytes};
    }

    void begin(uint64_t job) {
        Range range;
        {
            std::lock_guard lock(mutex_);
            range = somewhere();
        }
        reader_->begin(job, {{range, memory_[job].at}}, false);
    }

    void done(uint64_t job, const std::string &error) {
        {
            std::lock_guard lock(mutex_);
            if (!error.empty()) error_ = error;
            if (!error_.empty() || Clock::now() >= over_) {
                --running_;
                ended_.notify_one();
                return;
            }
        }
        begin(job);
    }

    std::vector<uint64_t>   sizes_; // of the files
    uint64_t                all_ = 0;
    std::vector<Memory>     memory_;
    Clock::time_point       over_;
    std::mutex              mutex_; // for what follows
    std::condition_variable ended_;
    size_t                  running_ = 0;
    std::string             error_;
    std::mt19937_64         random_{std::random_device{}()};
    std::unique_ptr<Reader> reader_; // goes first: it reads into the memory
};

} // namespace

ReadRate read_rate(const ReaderOptions &options, double seconds) { return Trial(options).run(options, seconds); }

ReadRate tune(const ReaderOptions &options, double seconds) {
    std::vector<ReaderOptions> ways;
    for (int depth : DEPTHS)
        for (size_t piece : PIECES)
            if (piece * (size_t)depth <= MOST_ON_THE_WAY) ways.push_back({options.copies, piece, depth, options.direct, options.uring});
    auto on_the_way = [](const ReaderOptions &way) { return std::pair(way.piece * (size_t)way.depth, way.depth); };
    std::sort(ways.begin(), ways.end(), [&](const auto &a, const auto &b) { return on_the_way(a) < on_the_way(b); });
    std::vector<std::array<ReadRate, ROUNDS>> rates(ways.size());
    for (int round = 0; round < ROUNDS; ++round)
        for (size_t way = 0; way < ways.size(); ++way) rates[way][round] = read_rate(ways[way], seconds / (double)ways.size() / ROUNDS);
    double fastest = 0;
    for (auto &rate : rates) {
        std::sort(rate.begin(), rate.end(), [](const auto &a, const auto &b) { return a.bytes_per_second < b.bytes_per_second; });
        fastest = std::max(fastest, rate[ROUNDS / 2].bytes_per_second);
    }
    // Other programs read too: what was fast enough once is.
    for (const auto &rate : rates)
        if (rate.back().bytes_per_second >= ENOUGH * fastest) return rate.back();
    return rates.back().back();
}

} // namespace kimicode
