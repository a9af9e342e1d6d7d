// The routed experts of one layer, for some tokens: down(silu(gate(x)) * up(x)) of each selected expert and token.
//
// Tokens are grouped by expert, so that each weight is read once a call. Threads take pieces of the work, a few rows of one matrix of one
// expert, from one queue: experts that are in memory first, the others as they come. The result depends on neither.
// What this does not do: weigh and add the experts' results, which llama.cpp does, or read files.

#pragma once

#include "../memory.hpp"
#include "../team.hpp"
#include "store.hpp"
#include "weights.hpp"

#include <cstdint>
#include <functional>

namespace kimicode {

constexpr int PROMPT_TOKENS = 32; // a computation of so many is a prompt's: it uses nearly all experts, and each once

// f32 throughout; strides in bytes.
struct ExpertLayer {
    const std::byte *x; // [tokens][width]
    size_t           x_token;
    const std::byte *ids; // int32 [tokens][used]
    size_t           ids_token;
    std::byte       *out; // [tokens][used][width]
    size_t           out_token, out_used;
    int              tokens, used, experts;
    int              width, hidden; // of x, and between the products
    const Weights   *gate, *up, *down;
    int              layer; // its number in the store
};

// Compute the layer. `begun` is called when its experts have been asked for, by the calling thread. Raises ReadError, std::bad_alloc, and
// std::out_of_range for an id that is no expert.
void compute(const ExpertLayer &, Store &, Team &, Block &memory, const std::function<void()> &begun = {});

// One product of the above alone: `part` (0 gate, 1 up, 2 down) of the selected experts with rows of their own, [tokens][used or 1][width].
struct ExpertProduct {
    const std::byte *x;
    size_t           x_token, x_used; // x_used is 0 where all experts of a token have the same row
    const std::byte *ids;
    size_t           ids_token;
    std::byte       *out; // [tokens][used][rows]
    size_t           out_token, out_used;
    int              tokens, used, experts;
    int              width, rows;
    const Weights   *weights;
    int              layer, part;
};
void compute(const ExpertProduct &, Store &, Team &, Block &memory);

} // namespace kimicode
