#include "team.hpp"

#ifdef _OPENMP
#include <omp.h>

namespace kimicode {

Team::Team(int threads) : threads_(threads < 1 ? 1 : threads) {}
Team::~Team() = default;

void Team::resize(int threads) { threads_ = threads < 1 ? 1 : threads; }

void Team::run(const std::function<void(int)> &work) {
    if (threads_ == 1) return work(0);
    // OpenMP may give fewer threads than were asked for; members are numbered, so a loop makes up for them.
#pragma omp parallel num_threads(threads_)
    for (int member = omp_get_thread_num(); member < threads_; member += omp_get_num_threads()) work(member);
}

} // namespace kimicode

#else

#include <condition_variable>
#include <mutex>
#include <thread>
#include <vector>

namespace kimicode {

struct Team::Pool {
    std::mutex lock;
    std::condition_variable begin, end;
    const std::function<void(int)> *work = nullptr;
    long round = 0;
    int  running = 0;
    bool over = false;
    std::vector<std::thread> threads;

    void serve(int member) {
        long seen = 0;
        for (;;) {
            std::unique_lock held(lock);
            begin.wait(held, [&] { return over || round != seen; });
            if (over) return;
            seen = round;
            const auto *mine = work;
            held.unlock();
            (*mine)(member);
            held.lock();
            if (--running == 0) end.notify_one();
        }
    }

    explicit Pool(int count) {
        for (int member = 1; member < count; ++member) threads.emplace_back([this, member] { serve(member); });
    }
    ~Pool() {
        {
            std::lock_guard held(lock);
            over = true;
        }
        begin.notify_all();
        for (auto &thread : threads) thread.join();
    }
};

Team::Team(int threads) : threads_(threads < 1 ? 1 : threads), pool_(new Pool(threads_)) {}
Team::~Team() { delete pool_; }

void Team::resize(int threads) {
    threads = threads < 1 ? 1 : threads;
    if (threads == threads_) return;
    delete pool_;
    threads_ = threads;
    pool_ = new Pool(threads_);
}

void Team::run(const std::function<void(int)> &work) {
    if (threads_ == 1) return work(0);
    {
        std::lock_guard held(pool_->lock);
        pool_->work = &work;
        pool_->running = threads_ - 1;
        ++pool_->round;
    }
    pool_->begin.notify_all();
    work(0);
    std::unique_lock held(pool_->lock);
    pool_->end.wait(held, [&] { return pool_->running == 0; });
}

} // namespace kimicode

#endif
