#include "policy.hpp"

#include <algorithm>
#include <cmath>

namespace kimicode {
namespace {

// Below everything that was ever used. Which unused ones stay is the same all the time, and as many in each layer.
double unused_worth(int expert) {
    constexpr double NEVER = -1e9;
    uint32_t mixed = static_cast<uint32_t>(expert) * 2654435769u;
    return NEVER + mixed * 0x1p-22; // distinct: neighbours are further apart than doubles are there
}

class Remembered : public Policy {
  public:
    explicit Remembered(int count) : worth_(count) {
        for (int i = 0; i < count; ++i) worth_[i] = unused_worth(i);
    }
    double worth(int expert) const override { return worth_[expert]; }

  protected:
    std::vector<double> worth_;
};

// When it was used last.
class Recency final : public Remembered {
  public:
    using Remembered::Remembered;

    void used(const std::vector<int> &experts, bool scan) override {
        if (scan) return;
        ++now_;
        for (int expert : experts) worth_[expert] = now_;
    }

  private:
    double now_ = 0;
};

// How often it was used, each use counting for half as much after every `half` tokens. As all lose at the same rate, their order changes by
// uses alone: what is kept is the logarithm of the sum as seen from the first token, which only grows.
//
// A token goes through the layers in their order, some perhaps in several computations: experts of a lower number than the last ones begin
// another token. Of a model of one layer so fewer tokens are seen than there are.
class Frequency final : public Remembered {
  public:
    Frequency(int count, double half) : Remembered(count), rate_(1 / half) {}

    void used(const std::vector<int> &experts, bool scan) override {
        if (scan || experts.empty()) return;
        if (experts[0] < last_) now_ += rate_;
        last_ = experts[0];
        for (int expert : experts) {
            double most = std::max(worth_[expert], now_), least = std::min(worth_[expert], now_);
            worth_[expert] = most + std::log2(1 + std::exp2(least - most));
        }
    }

  private:
    double rate_, now_ = 0;
    int    last_ = -1;
};

// Tokens after which a use counts half. Measured by benchmarks/experts_policy.py on routing of 64, 256 and 384 experts a layer, steady and
// not, and on kimi-nano's: 16 is within 3 points of the best half-life everywhere from 4 to 75 % of experts in memory, while 4 loses 4
// where routing is steady, and 64 loses 10 where the topic changes soon. Where hit rates follow those published for Kimi-Linear, LFRU finds
// 27, 43, 62 and 80 % with 3, 6, 12 and 24 % in memory, LRU 14, 40, 58 and 77, LFU 23, 38, 57 and 77, the optimum 51, 66, 79 and 90. With
// less than a token's experts in memory LRU finds none: the one it drops is the next one wanted.
constexpr double LASTING = 256, LATELY = 16;

} // namespace

std::unique_ptr<Policy> policy_named(const std::string &name, int count) {
    if (name == "lru") return std::make_unique<Recency>(count);
    if (name == "lfu") return std::make_unique<Frequency>(count, LASTING);
    if (name == "lfru") return std::make_unique<Frequency>(count, LATELY);
    return nullptr;
}

} // namespace kimicode
