#include "team.hpp"

#include <atomic>
#include <exception>

#ifdef _OPENMP
#include <omp.h>
#else
#include <system_error>
#include <thread>
#include <vector>
#endif

namespace kimicode {
namespace {

// The first exception of several threads, which must not leave them: it would end the process.
class Failure {
  public:
    // Members first, first + step, … below `members`.
    void guard(const std::function<void(int)> &work, int first, int members, int step) noexcept {
        try {
            for (int member = first; member < members; member += step) work(member);
        } catch (...) {
            if (!taken_.test_and_set()) first_ = std::current_exception();
        }
    }
    void raise() const {
        if (first_) std::rethrow_exception(first_);
    }

  private:
    std::atomic_flag   taken_ = ATOMIC_FLAG_INIT;
    std::exception_ptr first_;
};

} // namespace
} // namespace kimicode

#ifdef _OPENMP

namespace kimicode {

Team::Team(int threads) : threads_(threads < 1 ? 1 : threads) {}
Team::~Team() = default;

void Team::resize(int threads) { threads_ = threads < 1 ? 1 : threads; }

void Team::run(const std::function<void(int)> &work) {
    if (threads_ == 1) return work(0);
    Failure failure;
    // Always all threads or none: OpenMP ends threads that a smaller team leaves over, and llama.cpp would have to start them again.
#pragma omp parallel num_threads(threads_)
    failure.guard(work, omp_get_thread_num(), threads_, omp_get_num_threads());
    failure.raise();
}

} // namespace kimicode

#else

namespace kimicode {

struct Team::Pool {
    static constexpr int LOOKS = 2000; // a few tens of microseconds: about what waking a thread takes

    alignas(64) std::atomic<unsigned> round{0};
    alignas(64) std::atomic<int>      running{0};
    std::atomic<bool>                 over{false};
    const std::function<void(int)>   *work = nullptr;
    Failure                          *failure = nullptr;
    int                               members = 0;
    std::vector<std::thread>          threads;

    ~Pool() {
        over.store(true, std::memory_order_relaxed);
        begin();
        for (auto &thread : threads) thread.join();
    }

    // As many as the system allows, up to `count`.
    void grow(int count) {
        try {
            while ((int)threads.size() < count)
                threads.emplace_back([this, place = (int)threads.size() + 1, seen = round.load()] { serve(place, seen); });
        } catch (const std::system_error &) {
        }
    }

    void begin() {
        round.fetch_add(1, std::memory_order_release);
        round.notify_all();
    }

    static void pause() {
#if defined(__x86_64__)
        __builtin_ia32_pause();
#elif defined(__aarch64__)
        asm volatile("yield");
#endif
    }

    template <class T> static void wait_while(const std::atomic<T> &value, T old) {
        for (int i = 0; i < LOOKS; ++i) {
            if (value.load(std::memory_order_acquire) != old) return;
            pause();
        }
        value.wait(old, std::memory_order_acquire);
    }

    void serve(int place, unsigned seen) {
        for (;; ++seen) {
            wait_while(round, seen);
            if (over.load(std::memory_order_relaxed)) return;
            failure->guard(*work, place, members, (int)threads.size() + 1);
            if (running.fetch_sub(1, std::memory_order_acq_rel) == 1) running.notify_one();
        }
    }

    void run(const std::function<void(int)> &wanted, int count) {
        Failure first;
        work = &wanted;
        failure = &first;
        members = count;
        running.store((int)threads.size(), std::memory_order_relaxed);
        begin();
        first.guard(wanted, 0, count, (int)threads.size() + 1);
        for (int left; (left = running.load(std::memory_order_acquire)) != 0;) wait_while(running, left);
        first.raise();
    }
};

Team::Team(int threads) : threads_(1), pool_(new Pool) { resize(threads); }
Team::~Team() = default;

// Threads that a smaller team leaves over sleep on: batches and single tokens take turns with different numbers.
void Team::resize(int threads) {
    threads_ = threads < 1 ? 1 : threads;
    pool_->grow(threads_ - 1);
}

void Team::run(const std::function<void(int)> &work) {
    if (threads_ == 1) return work(0);
    pool_->run(work, threads_);
}

} // namespace kimicode

#endif
