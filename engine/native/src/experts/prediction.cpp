#include "prediction.hpp"

#include "../library.hpp"
#include "../vector.hpp"
#include "api.h"
#include "open_store.hpp"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <map>
#include <mutex>

namespace kimicode {
namespace {

constexpr int    MOST_TOKENS = 4;    // of a step that answers; a prompt uses nearly all experts anyway
constexpr int    CHOICES = 6;        // the later ones are wrong too often
constexpr double WORTH_IT = 0.7;     // of the announced that must be used: where 73 % were it gained 4 to 6 %, where 68 % were, nothing
constexpr int    TRIAL = 256;        // announced experts after which that is judged
constexpr int    PAUSE = 4096;       // layers without announcements after it was not worth it

// One layer's way from the hidden state to scores. Null: not seen, or not in memory as f32.
struct Router {
    const float *matrix = nullptr; // [experts][width]
    const float *bias = nullptr;   // [experts]
    const float *norm = nullptr;   // [width]: what the normalised state is multiplied with
    int          width = 0, experts = 0;
};

struct Known {
    std::mutex            lock;
    std::weak_ptr<Store>  store; // of the model that they belong to
    std::map<int, Router> routers;
};

Known &known() {
    static Known all;
    return all;
}

std::atomic<bool> wanted{true};

// When to announce: all the time, unless too few of them were used.
struct Worth {
    uint64_t announced = 0, used = 0; // at the start of this trial
    int      pause = 0;

    bool now(const StoreCounts &c) {
        if (pause > 0) return --pause == 0;
        if (c.announced < announced) *this = {}; // another store
        if (c.announced - announced >= TRIAL) {
            bool paid = (double)(c.announced_used - used) >= WORTH_IT * (double)(c.announced - announced);
            announced = c.announced;
            used = c.announced_used;
            if (!paid) pause = PAUSE;
        }
        return pause == 0;
    }
};

const float *values(const ggml::Tensor &t) {
    bool plain = t.type == ggml::TYPE_F32 && t.nb[0] == sizeof(float) && t.buffer && loaded_ggml()->buffer_is_host(t.buffer);
    return plain ? static_cast<const float *>(t.data) : nullptr;
}

void note(const ggml::Tensor &w) {
    int  layer, end = 0;
    char kind[32];
    if (sscanf(w.name, "blk.%d.%31[a-z_].%n", &layer, kind, &end) != 2 || !end) return;
    bool matrix = strcmp(kind, "ffn_gate_inp") == 0, bias = strcmp(kind, "exp_probs_b") == 0, norm = strcmp(kind, "ffn_norm") == 0;
    if (!matrix && !bias && !norm) return;
    Known          &all = known();
    std::lock_guard lock(all.lock);
    if (auto store = open_store(); store != all.store.lock()) {
        all.routers.clear();
        all.store = store;
    }
    Router &r = all.routers[layer];
    if (matrix) {
        r.matrix = values(w);
        r.width = (int)w.ne[0];
        r.experts = (int)w.ne[1];
    } else {
        (bias ? r.bias : r.norm) = values(w);
    }
}

float dot(const float *a, const float *b, int count) {
    using L = Lanes<4>;
    L::F sums[4] = {};
    int  i = 0;
    for (; i + 16 <= count; i += 16)
        for (int k = 0; k < 4; ++k) sums[k] += L::load(a + i + 4 * k) * L::load(b + i + 4 * k);
    float sum = L::sum(sums[0] + sums[1] + sums[2] + sums[3]);
    for (; i < count; ++i) sum += a[i] * b[i];
    return sum;
}

// The best few of the next layer's experts for one token, best first.
std::vector<int> best(const Router &here, const Router &next, const float *x, int choices, Team &team) {
    std::vector<float> state(next.width), scores(next.experts);
    for (int i = 0; i < next.width; ++i) state[i] = here.norm[i] != 0 ? x[i] / here.norm[i] * next.norm[i] : 0;
    team.run([&](int member) {
        for (int e = member; e < next.experts; e += team.threads()) {
            float score = dot(next.matrix + (size_t)e * next.width, state.data(), next.width);
            scores[e] = 1 / (1 + std::exp(-score)) + (next.bias ? next.bias[e] : 0);
        }
    });
    std::vector<int> order(next.experts);
    for (int e = 0; e < next.experts; ++e) order[e] = e;
    choices = std::min(choices, next.experts);
    std::partial_sort(order.begin(), order.begin() + choices, order.end(), [&](int a, int b) { return scores[a] > scores[b]; });
    order.resize(choices);
    return order;
}

bool routers(const ExpertLayer &l, Router &here, Router &next) {
    Known          &all = known();
    std::lock_guard lock(all.lock);
    auto            a = all.routers.find(l.layer), b = all.routers.find(l.layer + 1);
    if (a == all.routers.end() || b == all.routers.end() || all.store.lock() != open_store()) return false;
    here = a->second;
    next = b->second;
    return here.norm && next.norm && next.matrix && next.width == l.width && next.experts == l.experts;
}

} // namespace

void saw_router(const ggml::Tensor &op) {
    if (op.op == ggml::OP_MUL_MAT && op.src[0])
        note(*op.src[0]);
    else if ((op.op == ggml::OP_MUL || op.op == ggml::OP_ADD) && op.src[1])
        note(*op.src[1]);
}

void look_ahead(const ExpertLayer &l, Store &store, Team &team) {
    static Worth worth;
    if (!wanted || l.layer + 1 >= store.layers()) return;
    if (l.tokens >= PROMPT_TOKENS) {
        std::vector<int> all(l.experts);
        for (int e = 0; e < l.experts; ++e) all[e] = e;
        return store.announce(l.layer + 1, all);
    }
    StoreCounts counts = store.counts();
    Router      here, next;
    // Where every expert has a place there is nothing to gain.
    if (l.tokens > MOST_TOKENS || counts.misses == 0 || !worth.now(counts) || !routers(l, here, next)) return;
    for (int token = 0; token < l.tokens; ++token) {
        auto *x = reinterpret_cast<const float *>(l.x + token * l.x_token);
        store.announce(l.layer + 1, best(here, next, x, std::min(CHOICES, l.used), team));
    }
}

void predict(bool on) { wanted = on; }

} // namespace kimicode

void kimicode_store_predict(int on) { kimicode::predict(on != 0); }
