// Threads that do one thing together.
//
// With OpenMP, where llama.cpp uses the same library: then the team is llama.cpp's own, and there are never more threads than it was given.
// Without it, a small pool of our own.

#pragma once

#include <functional>

namespace kimicode {

class Team {
  public:
    explicit Team(int threads);
    ~Team();
    Team(const Team &) = delete;
    Team &operator=(const Team &) = delete;

    int  threads() const { return threads_; }
    void resize(int threads);

    // Call `work(member)` once for every member, 0 to threads() - 1, at the same time; returns when all have returned.
    void run(const std::function<void(int)> &work);

  private:
    int threads_;
#ifndef _OPENMP
    struct Pool;
    Pool *pool_;
#endif
};

} // namespace kimicode
