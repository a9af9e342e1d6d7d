#include "policy.hpp"

#include <algorithm>
#include <cmath>

namespace kimicode {
namespace {

// Below everything that was ever used. Which unused ones stay is the same all the time, and as many in each layer.
double unused_worth(int expert) {
    constexpr double NEVER = -1e9;
    uint32_t mixed = static_cast<uint32_t>(expert) * 2654435769u;
    return NEVER + mixed * 0x1p-22; // distinct: the product of an odd number and what follows is less than the distance of two
}

// Time is the number of uses, as a share of the experts there are: 1 is one use of each on average. That is what it takes to learn how often
// each is used, however many layers a token goes through.
class Clocked : public Policy {
  public:
    explicit Clocked(int count) : tick_(1.0 / std::max(count, 1)), worth_(count) {
        for (int i = 0; i < count; ++i) worth_[i] = unused_worth(i);
    }

    void used(const std::vector<int> &experts, bool scan) override {
        if (scan) return;
        now_ += experts.size() * tick_;
        for (int expert : experts) worth_[expert] = after_use(worth_[expert], now_);
    }

    double worth(int expert) const override { return worth_[expert]; }

  protected:
    virtual double after_use(double worth, double now) const = 0;

  private:
    double              tick_, now_ = 0;
    std::vector<double> worth_;
};

class Recency final : public Clocked {
    using Clocked::Clocked;
    double after_use(double, double now) const override { return now; }
};

// Uses are added up, each counting for half as much after every `half` of time. As all lose at the same rate, their order changes by uses
// alone: kept is the logarithm of the sum as seen from time 0, which only grows.
class Frequency final : public Clocked {
  public:
    Frequency(int count, double half) : Clocked(count), rate_(1 / half) {}

  private:
    double after_use(double worth, double now) const override {
        double use = now * rate_;
        double most = std::max(worth, use), least = std::min(worth, use);
        return most + std::log2(1 + std::exp2(least - most));
    }

    double rate_;
};

constexpr double SLOW = 64, QUICK = 1;

} // namespace

std::unique_ptr<Policy> policy_named(const std::string &name, int count) {
    if (name == "lru") return std::make_unique<Recency>(count);
    if (name == "lfu") return std::make_unique<Frequency>(count, SLOW);
    if (name == "lfru") return std::make_unique<Frequency>(count, QUICK);
    return nullptr;
}

} // namespace kimicode
