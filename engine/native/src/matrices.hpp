// The matrices around llama.cpp's latent attention, where its graph shows what they are and that nothing else reads the result.
//
// Before: Q is CONCAT(MUL_MAT(wk_b, ...), rotated part). After: MUL_MAT(wv_b, result). The scheduler asks a backend about every node that
// computes something, each time it splits a graph, attention before what reads it; so what reads it is known when it is computed.
// It can't be known whether an evaluation callback looks at a view of the result: such a callback sees a projection of it.

#pragma once

#include "expanded.hpp"
#include "ggml_abi.hpp"

#include <mutex>
#include <unordered_map>

namespace kimicode {

// What reads each attention's result. For any number of threads.
class Readers {
  public:
    // The scheduler asks about `op`. Asked about attention, it begins anew: its address may have belonged to another graph's.
    void saw(const ggml::Tensor &op);

    // The only operation that reads the attention's result; null where there is another, or none was seen.
    const ggml::Tensor *only_reader(const ggml::Tensor &attention) const;

  private:
    struct Seen {
        const ggml::Tensor *first = nullptr;
        bool                others = false;
    };
    mutable std::mutex lock_;
    std::unordered_map<const ggml::Tensor *, Seen> seen_;
};

// The matrices of an attention that only `reader` reads, when it is computed. False: they are not what they must be, or not in memory.
bool matrices_of(const ggml::Tensor &attention, const ggml::Tensor &reader, Expansion &out);

} // namespace kimicode
