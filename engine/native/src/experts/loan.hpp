// What one computation asked for, and how far it has come. What this does not do: find places or read; the store's desk does.

#pragma once

#include "store.hpp"

#include <chrono>
#include <condition_variable>
#include <deque>
#include <string>

namespace kimicode {

class Desk;

enum class Stage : uint8_t {
    WAITING, // for a place
    COMING,  // pinned, and on the way
    READY,   // pinned
    GIVEN,   // pinned
    OVER,
};

// Under the desk's lock.
struct Asked {
    int                     layer;
    bool                    prompt;
    std::vector<int>        experts;  // numbered over all layers, in the order asked for, each once
    std::vector<int>        index_of; // of a layer's expert in `experts`, or -1
    std::vector<Stage>      stages;   // of each of `experts`
    std::deque<int>         waiting, ready; // indices
    int                     left = 0;       // not yet given
    int                     pins = 0, given = 0;
    int                     brought = 0; // pins of what was not there when the loan began
    std::vector<bool>       hit;
    int                     waiters = 0; // threads in `next`
    std::string             error;       // why the loan failed
    std::condition_variable changed;
    std::chrono::steady_clock::time_point idle_since{}; // when there was nothing left to do but to wait; unless 0

    void to(int index, Stage stage);
};

class DeskLoan final : public Store::Loan {
  public:
    // Raises std::out_of_range.
    DeskLoan(Desk &, int layer, std::span<const int> experts, bool prompt);
    ~DeskLoan() override;

    bool next(ExpertBytes &, bool wait) override;
    void done(int expert) override;

  private:
    Desk &desk_;
    Asked asked_;
};

} // namespace kimicode
