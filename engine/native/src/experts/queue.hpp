// The work of one layer as pieces that threads take: some rows of the matrices of one expert.
//
// An expert has one or two phases, each of so many pieces; the second can begin when all pieces of the first are finished. Experts come as
// they are given by the store; while one thread waits for the next, the others work. What this does not do: compute.

#pragma once

#include "grouping.hpp"
#include "store.hpp"

#include <atomic>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <vector>

namespace kimicode {

struct Task {
    int         group, phase, index; // the `index`th piece of this phase of this group's expert
    ExpertBytes bytes;
};

class Queue {
  public:
    // Of `phases` phases, `pieces[phase]` each. `groups` and `loan` must outlive it.
    Queue(const Groups &groups, Store::Loan &loan, std::vector<int> pieces);

    // False when nothing is left to do, or another thread failed. Raises ReadError.
    bool take(Task &);

    // True where it was its phase's last: then the caller does what is needed before the next phase, and calls `advance`.
    bool finish(const Task &);
    void advance(const Task &);

    // A thread can't go on: the others stop.
    void fail();

  private:
    struct Open {
        int         group, phase, next;
        ExpertBytes bytes;
    };
    bool fetch(std::unique_lock<std::mutex> &);
    void changed();
    void wait(std::unique_lock<std::mutex> &);

    const Groups         &groups_;
    Store::Loan          &loan_;
    std::vector<int>      pieces_;
    std::vector<int>      left_; // pieces of each group's phase that are not finished
    std::deque<Open>      open_; // phases with pieces that nobody took
    size_t                given_ = 0, finished_ = 0;
    bool                  fetching_ = false, failed_ = false;
    std::atomic<unsigned> version_{0};
    std::mutex            lock_;
    std::condition_variable change_;
};

} // namespace kimicode
