// Latent attention in the expanded form: each head's own keys and values, made of the latents a tile at a time.
//
// The operation gets absorbed queries, `latent` values wide, though they were made of fewer: q = K x, where K is the head's matrix
// [latent][rank]. With U, an orthonormal basis of K's columns, q · c = (Uᵀq) · (Uᵀc) for every c, whatever K's conditioning. And of a result o
// that only serves to compute W o, W being [rank][latent], only the part in W's row space counts: with its orthonormal basis V,
// o = V Σ weight · (Vᵀc) has the same W o. So a (query, key) pair costs rank + rotated + rank multiplications instead of latent + rotated +
// latent, and a key of a head 2 · rank · latent, once for all queries. Above about 200 queries that is less.
//
// Results are not those of the absorbed form but their projections: use it only where nothing but the product with W reads them.

#pragma once

#include "attention.hpp"

namespace kimicode {

// One of the two matrices of every head.
struct Factor {
    const std::byte *data;
    size_t row, head;                                 // strides in bytes
    int    width, rows;                               // values of a row; rows of a head
    void (*to_float)(const void *, float *, int64_t); // a row as f32; null: it is f32
};

struct Expansion {
    Factor keys;   // K: `latent` rows
    Factor values; // W: rows of `latent` values
};

// What the queries of a block see of a tile of cells.
enum class Seen : uint8_t { nothing, all, some };

constexpr int BLOCK = 64; // queries of a block

// All keys for some queries of one head. `query` is a multiple of BLOCK.
struct Part {
    int head, query, queries;
};

// A kernel's way to compute it.
struct ExpandedKernel {
    int keys; // of a tile
    size_t (*scratch)(const Attention &, const Expansion &, int queries);
    // Results go to the attention's `out`. `seen` is [block of all queries][tile]. False, and nothing written: a weight is not a number.
    bool (*part)(const Attention &, const Expansion &, const Part &, const Seen *seen, std::byte *scratch);
};

// Whether it can be computed: sizes that fit each other, ranks no larger than `latent`.
bool possible(const Attention &, const Expansion &);

enum class Form : int { cheaper = 0, absorbed = 1, expanded = 2 };

// Compute it in the expanded form with the threads of `team`, unless `form` is `cheaper` and it is not. False: it was not computed.
// Intermediate results lie in `memory`: 3 to 8 MiB a thread at K2's sizes. Raises std::bad_alloc.
bool attend_expanded(const Attention &, const Expansion &, const Kernel &, Team &, Form form, Block &memory);

} // namespace kimicode
