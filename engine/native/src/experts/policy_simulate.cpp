#include "policy_simulate.hpp"

#include "policy_ranking.hpp"

namespace kimicode {
namespace {

class Cache {
  public:
    Cache(Policy &policy, int experts, int places) : policy_(policy), places_(places), ranking_(experts), there_(experts) {}

    // One computation; how many of its experts were there.
    int use(const std::vector<int> &experts) {
        int hits = 0;
        for (int expert : experts) {
            hits += there_[expert];
            ranking_.remove(expert);
        }
        policy_.used(experts, false);
        for (int expert : experts)
            if (!there_[expert]) bring(expert, experts);
        for (int expert : experts)
            if (there_[expert]) ranking_.put(expert, policy_.worth(expert));
        return hits;
    }

  private:
    void bring(int expert, const std::vector<int> &together) {
        if (held_ < places_)
            ++held_;
        else if (!ranking_.empty()) {
            int least = ranking_.least();
            ranking_.remove(least);
            there_[least] = false;
        } else {
            // All places have experts of this computation; it is done with the first of them.
            for (int other : together)
                if (there_[other]) {
                    there_[other] = false;
                    break;
                }
        }
        there_[expert] = true;
    }

    Policy           &policy_;
    int               places_, held_ = 0;
    Ranking           ranking_;
    std::vector<bool> there_;
};

} // namespace

int64_t simulate(Policy &policy, int experts, int places, std::span<const int> trace, int used) {
    Cache cache(policy, experts, places);
    int64_t hits = 0;
    for (size_t at = 0; at + used <= trace.size(); at += used)
        hits += cache.use({trace.begin() + at, trace.begin() + at + used});
    return hits;
}

} // namespace kimicode
