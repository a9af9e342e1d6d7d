// Experts in the order of their worth, those that may go. What this does not do: know what they are worth.

#pragma once

#include <set>
#include <utility>
#include <vector>

namespace kimicode {

class Ranking {
  public:
    explicit Ranking(int count) : worth_(count), there_(count) {}

    // Takes the place of what it was worth before.
    void put(int expert, double worth);
    void remove(int expert); // nothing happens where it is not there

    bool holds(int expert) const { return there_[expert]; }
    bool empty() const { return order_.empty(); }
    int  least() const { return order_.begin()->second; } // of a ranking that is not empty

  private:
    std::set<std::pair<double, int>> order_;
    std::vector<double>              worth_;
    std::vector<bool>                there_;
};

} // namespace kimicode
