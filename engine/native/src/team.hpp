// Threads that do one thing together.
//
// With OpenMP, where llama.cpp uses the same library: then the team is llama.cpp's own, as long as the same thread calls both, and there are
// never more threads than llama.cpp was given. Without it, a small pool of our own, whose threads look for work for a few microseconds and
// then sleep. A team of one is the calling thread. What this does not do: several callers at once; each has a team of its own.

#pragma once

#include <functional>
#include <memory>

namespace kimicode {

class Team {
  public:
    explicit Team(int threads);
    ~Team();
    Team(const Team &) = delete;
    Team &operator=(const Team &) = delete;

    int  threads() const { return threads_; }
    void resize(int threads);

    // Call `work(member)` once for every member, 0 to threads() - 1, at the same time; returns when all have returned. Fewer threads may be
    // there than members: no member may wait for another. Raises what the first member that failed raised.
    void run(const std::function<void(int)> &work);

  private:
    int threads_;
#ifndef _OPENMP
    struct Pool;
    std::unique_ptr<Pool> pool_;
#endif
};

} // namespace kimicode
