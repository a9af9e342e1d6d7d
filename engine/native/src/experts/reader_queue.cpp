#include "reader_queue.hpp"

#include <algorithm>
#include <cerrno>
#include <stdexcept>
#include <system_error>
#include <utility>

namespace kimicode::reading {
namespace {

constexpr int    INTERRUPTIONS = 100;       // of one piece, before they count as a failure
constexpr int    STALL = 10;                // interruptions that a read without new bytes counts for
constexpr double GUESS_BYTES = 1e6;         // what a copy is thought to have read
constexpr double GUESS_SECONDS = 1e-3;      // before anything was measured
constexpr double REMEMBERED_SECONDS = 0.25; // of reading, after which the past counts half

uint64_t down(uint64_t offset) { return offset / SECTOR * SECTOR; }
uint64_t up(uint64_t offset) { return down(offset + SECTOR - 1); }

std::string why(const Piece &piece, int error, const std::string &path) {
    std::string where = path + ": " + std::to_string(piece.bytes) + " bytes at " + std::to_string(piece.offset) + " can't be read: ";
    std::string what = error ? std::generic_category().message(error) : "the file ends after " + std::to_string(piece.got) + " of them";
    return where + what + "; it was tried twice: check the drive (dmesg), or copy the file again";
}

} // namespace

Step advance(Piece &piece, long result, int &error) {
    error = 0;
    if (result == -EINTR || result == -EAGAIN) {
        error = (int)-result;
        return ++piece.interruptions < INTERRUPTIONS ? Step::AGAIN : Step::FAILED;
    }
    if (result < 0) {
        error = (int)-result;
        return Step::FAILED;
    }
    size_t got = down(piece.got) + (size_t)result;
    if (got <= piece.got) {
        // The rest begins with a sector, of which a part may have come already: the file ends there if no more ever comes.
        piece.interruptions += STALL;
        return result && piece.interruptions < INTERRUPTIONS ? Step::AGAIN : Step::FAILED;
    }
    piece.got = got;
    return got >= piece.needed ? Step::READ : Step::AGAIN;
}

Rest rest(const Piece &piece) {
    size_t from = down(piece.got);
    return {piece.into + from, piece.bytes - from, piece.offset + from};
}

Queue::Queue(Files &files, const ReaderOptions &options, Reader::Done done, std::function<void()> wake)
    : files_(files), piece_(options.piece), depth_(options.depth), done_(std::move(done)), wake_(std::move(wake)), last_(Clock::now()) {
    for (int copy = 0; copy < files.copies(); ++copy) copies_.emplace_back().last = last_;
    counts_.direct = files.direct();
    counts_.uring = options.uring;
}

Queue::~Queue() = default;

std::vector<Queue::Span> Queue::spans_of(const std::vector<Read> &reads) {
    std::vector<Span> spans;
    for (const auto &[range, into] : reads) {
        if (range.bytes == 0) continue;
        uint64_t   offset = down(range.offset);
        std::byte *first = into + (range.offset - offset);
        if (!spans.empty()) {
            Span &last = spans.back();
            if (last.file == range.file && last.end == range.offset && last.into + (last.end - last.offset) == first) {
                last.end += range.bytes;
                continue;
            }
        }
        spans.push_back({range.file, offset, range.offset + range.bytes, into});
    }
    return spans;
}

std::string Queue::outside(const std::vector<Span> &spans) const {
    for (const auto &span : spans) {
        if (span.file < 0 || span.file >= files_.files()) return "there is no file " + std::to_string(span.file) + " to read from";
        if (span.end > files_.size(span.file) || span.end < span.offset)
            return files_.path(0, span.file) + ": it has " + std::to_string(files_.size(span.file)) + " bytes, and not the " +
                   std::to_string(span.end - span.offset) + " that should be at " + std::to_string(span.offset) + ": download it again";
    }
    return "";
}

void Queue::begin(uint64_t id, const std::vector<Read> &reads, bool urgent) {
    std::vector<Span> spans = spans_of(reads);
    std::string       error = outside(spans);
    {
        Lock lock(mutex_);
        if (jobs_.count(id)) throw std::invalid_argument("two jobs have the number " + std::to_string(id));
        if (closed_ && error.empty()) error = "the reader was closed";
        if (!error.empty() || spans.empty()) {
            ends_.push_back({id, error});
            for (auto &copy : copies_) copy.some.notify_one();
        } else {
            Job &job = jobs_[id];
            job.spans = std::move(spans);
            job.urgent = urgent;
            line_of(job).push_back(id);
            dispatch();
        }
    }
    wake_();
}

void Queue::hurry(uint64_t id) {
    Lock lock(mutex_);
    auto found = jobs_.find(id);
    if (found == jobs_.end() || found->second.urgent) return;
    leave_line(id, found->second);
    found->second.urgent = true;
    if (found->second.span < found->second.spans.size()) urgent_.push_back(id);
}

bool Queue::cancel(uint64_t id) {
    Lock lock(mutex_);
    auto found = jobs_.find(id);
    if (found == jobs_.end() || found->second.begun) return false;
    leave_line(id, found->second);
    jobs_.erase(found);
    return true;
}

void Queue::close() {
    {
        Lock lock(mutex_);
        closed_ = true;
        for (auto line : {&urgent_, &patient_})
            for (auto id : std::exchange(*line, {}))
                if (jobs_.at(id).begun) line->push_back(id);
        for (auto job = jobs_.begin(); job != jobs_.end();)
            if (job->second.begun) {
                ++job;
            } else {
                ends_.push_back({job->first, "the reader was closed"});
                job = jobs_.erase(job);
            }
        for (auto &copy : copies_) copy.some.notify_all();
    }
    wake_();
}

bool Queue::take(Piece &piece, int only, bool wait) {
    Lock lock(mutex_);
    for (;;) {
        while (!ends_.empty()) {
            End last = std::move(ends_.front());
            ends_.pop_front();
            end(last.job, std::move(last.error), lock);
        }
        for (int copy = only < 0 ? 0 : only; copy < (only < 0 ? files_.copies() : only + 1); ++copy)
            if (auto &ready = copies_[copy].ready; !ready.empty()) {
                piece = ready.front();
                ready.pop_front();
                return true;
            }
        if (!wait || is_over()) return false;
        copies_[only].some.wait(lock);
    }
}

bool Queue::over() const {
    Lock lock(mutex_);
    return is_over();
}

void Queue::read(const Piece &piece) {
    files_.forget(piece.copy, piece.file, piece.offset, piece.bytes);
    Lock lock(mutex_);
    back(piece);
    copies_[piece.copy].bytes += (double)piece.bytes;
    counts_.bytes += piece.got;
    ++counts_.reads;
    finish(piece.job, lock);
}

void Queue::failed(Piece piece, int error) {
    std::string changed = files_.changed(piece.file, true);
    Lock        lock(mutex_);
    back(piece);
    Job &job = jobs_.at(piece.job);
    if (changed.empty() && job.error.empty() && piece.failures == 0) {
        ++counts_.retries;
        ++job.on_the_way;
        piece.failures = 1;
        again_.push_back(piece);
    } else if (job.error.empty()) {
        job.error = changed.empty() ? why(piece, error, files_.path(piece.copy, piece.file)) : changed;
        leave_line(piece.job, job);
        job.span = job.spans.size();
    }
    finish(piece.job, lock);
}

ReaderCounts Queue::counts() const {
    Lock         lock(mutex_);
    ReaderCounts counts = counts_;
    if (taken_) counts.busy_seconds += std::chrono::duration<double>(Clock::now() - last_).count();
    return counts;
}

void Queue::leave_line(uint64_t id, const Job &job) { std::erase(line_of(job), id); }

Piece Queue::next_of(uint64_t id, const Job &job) const {
    const Span &span = job.spans[job.span];
    uint64_t    needed = std::min<uint64_t>(piece_, span.end - span.offset);
    return {id, span.file, 0, span.offset, (size_t)up(needed), (size_t)needed, span.into};
}

void Queue::sent(Job &job, const Piece &piece) {
    Span &span = job.spans[job.span];
    span.offset += piece.needed;
    span.into += piece.needed;
    if (span.offset == span.end) ++job.span;
    job.begun = true;
    ++job.on_the_way;
}

// Send pieces as long as the best copy for the next one has room.
void Queue::dispatch() {
    settle(Clock::now());
    while (!again_.empty()) {
        Piece piece = again_.front();
        piece.got = 0;
        piece.interruptions = 0;
        if (!send(piece, piece.copy)) return;
        again_.pop_front();
    }
    for (auto line : {&urgent_, &patient_})
        while (!line->empty()) {
            uint64_t id = line->front();
            Job     &job = jobs_.at(id);
            Piece    piece = next_of(id, job);
            if (!send(piece, -1)) return;
            sent(job, piece);
            if (job.span == job.spans.size()) line->pop_front();
        }
}

bool Queue::send(const Piece &piece, int avoid) {
    int   at = best(piece.bytes, avoid);
    Copy &copy = copies_[at];
    if (copy.taken == depth_) return false;
    copy.ready.push_back(piece);
    copy.ready.back().copy = at;
    ++copy.taken;
    ++taken_;
    copy.outstanding += piece.bytes;
    copy.some.notify_one();
    return true;
}

// An idle copy is believed to become faster, so that one that was slow once is tried again.
int Queue::best(size_t bytes, int avoid) const {
    int    found = 0;
    double least = 0;
    bool   first = true;
    for (int at = 0; at < (int)copies_.size(); ++at) {
        if (at == avoid && copies_.size() > 1) continue;
        const Copy &copy = copies_[at];
        double      idle = copy.taken ? 0 : std::chrono::duration<double>(Clock::now() - copy.last).count();
        double      speed = (copy.bytes + GUESS_BYTES) / (copy.seconds + GUESS_SECONDS) * (1 + idle);
        double      time = (double)(copy.outstanding + bytes) / speed;
        if (first || time < least) found = at, least = time;
        first = false;
    }
    return found;
}

void Queue::settle(Clock::time_point now) {
    if (taken_) counts_.busy_seconds += std::chrono::duration<double>(now - last_).count();
    last_ = now;
    for (auto &copy : copies_) {
        if (!copy.taken) continue;
        copy.seconds += std::chrono::duration<double>(now - copy.last).count();
        copy.last = now;
        if (copy.seconds > REMEMBERED_SECONDS) copy.seconds /= 2, copy.bytes /= 2;
    }
}

void Queue::back(const Piece &piece) {
    settle(Clock::now());
    Copy &copy = copies_[piece.copy];
    --copy.taken;
    --taken_;
    copy.outstanding -= piece.bytes;
}

// One piece of a job less is on the way.
void Queue::finish(uint64_t id, Lock &lock) {
    Job &job = jobs_.at(id);
    --job.on_the_way;
    bool last = job.on_the_way == 0 && job.span == job.spans.size();
    dispatch();
    if (!last) return;
    std::string error = std::move(job.error);
    if (error.empty()) {
        auto spans = std::move(job.spans);
        lock.unlock();
        int checked = -1; // ranges of a job mostly lie in one file
        for (const auto &span : spans)
            if (error.empty() && span.file != std::exchange(checked, span.file)) error = files_.changed(span.file, false);
        lock.lock();
    }
    jobs_.erase(id);
    end(id, std::move(error), lock);
}

void Queue::end(uint64_t id, std::string error, Lock &lock) {
    if (!error.empty()) ++counts_.failures;
    lock.unlock();
    done_(id, error);
    lock.lock();
    if (!is_over()) return;
    for (auto &copy : copies_) copy.some.notify_all();
    wake_();
}

} // namespace kimicode::reading
