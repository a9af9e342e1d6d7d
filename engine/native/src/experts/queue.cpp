#include "queue.hpp"

#include <algorithm>
#include <chrono>

namespace kimicode {
namespace {

// How long a thread looks for work before it sleeps: about what waking it costs.
constexpr auto LOOKING = std::chrono::microseconds(50);

} // namespace

Queue::Queue(const Groups &groups, Store::Loan &loan, std::vector<int> pieces)
    : groups_(groups), loan_(loan), pieces_(std::move(pieces)), left_(groups.experts.size(), pieces_[0]) {}

bool Queue::take(Task &piece) {
    std::unique_lock lock(lock_);
    for (;;) {
        if (failed_ || finished_ == groups_.experts.size()) return false;
        if (!open_.empty()) break;
        if (given_ == groups_.experts.size() || fetching_ || !fetch(lock)) wait(lock);
    }
    Open &open = open_.front();
    piece = {open.group, open.phase, open.next++, open.bytes};
    if (open.next == pieces_[open.phase]) open_.pop_front();
    return true;
}

// Get one more expert from the store. The lock is not held meanwhile.
bool Queue::fetch(std::unique_lock<std::mutex> &lock) {
    fetching_ = true;
    lock.unlock();
    ExpertBytes bytes;
    bool        got = false;
    try {
        got = loan_.next(bytes, true);
    } catch (...) {
        fail();
        throw;
    }
    lock.lock();
    fetching_ = false;
    if (!got) return false;
    ++given_;
    int group = (int)(std::lower_bound(groups_.experts.begin(), groups_.experts.end(), bytes.expert) - groups_.experts.begin());
    open_.push_back({group, 0, 0, bytes});
    changed();
    return true;
}

bool Queue::finish(const Task &piece) {
    std::lock_guard lock(lock_);
    return --left_[piece.group] == 0;
}

void Queue::advance(const Task &piece) {
    bool last = piece.phase + 1 == (int)pieces_.size();
    if (last) loan_.done(piece.bytes.expert);
    std::lock_guard lock(lock_);
    if (last) {
        ++finished_;
    } else {
        left_[piece.group] = pieces_[piece.phase + 1];
        // Before experts that have not begun: its place is free for another one the sooner.
        open_.push_front({piece.group, piece.phase + 1, 0, piece.bytes});
    }
    changed();
}

void Queue::fail() {
    std::lock_guard lock(lock_);
    failed_ = true;
    changed();
}

void Queue::changed() {
    version_.fetch_add(1, std::memory_order_release);
    change_.notify_all();
}

void Queue::wait(std::unique_lock<std::mutex> &lock) {
    unsigned seen = version_.load(std::memory_order_relaxed);
    lock.unlock();
    auto until = std::chrono::steady_clock::now() + LOOKING;
    while (version_.load(std::memory_order_acquire) == seen && std::chrono::steady_clock::now() < until) {}
    lock.lock();
    // An expert may have to be fetched by this thread, if the one that did it has got its own.
    change_.wait(lock, [&] { return version_.load(std::memory_order_relaxed) != seen; });
}

} // namespace kimicode
