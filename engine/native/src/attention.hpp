// Latent attention over a key-value cache, on its own: what is asked for, and what a kernel must be able to do. Knows nothing of ggml.
//
// One cell of the cache holds, for one token, `width` values: `latent` of the compressed keys and values, then the rotated part of the key.
// All heads share it. A row is one head of one query. Row r's scores are q_r · cell * scale + mask; its result is the mean of the cells'
// first `latent` values under the softmax of its scores, and zeros where the mask hides every cell.

#pragma once

#include <cstddef>
#include <cstdint>

namespace kimicode {

// How a cell is stored. The numbers are ggml's type numbers.
enum class Cell : int { f32 = 0, f16 = 1, q8_0 = 8, bf16 = 30 };

// Bytes of one cell of `width` values; 0 where the type can't hold so many.
size_t cell_bytes(Cell type, int width);

// What is asked for. Strides in bytes; `out` is [queries][heads][latent].
struct Attention {
    const std::byte *q;         // f32, a row of `width` contiguous values
    size_t           q_query;   // from one query to the next
    size_t           q_head;    // from one head to the next
    const std::byte *cells;
    size_t           cell_stride;
    Cell             cell;
    const std::byte *mask;      // f16, [queries][keys], added to the scores; null: nothing is hidden
    size_t           mask_query;
    float           *out;
    int              queries, keys, heads, width, latent;
    float            scale;
};

// A share of the work: some queries against some keys. Results are not divided by `total` yet, so that shares can be merged:
// with m the greatest score of a row (base 2), sums = Σ 2^(s - m) · value and total = Σ 2^(s - m).
struct Share {
    int    query, queries;
    int    key, keys;
    float *sums;    // [queries * heads][latent]
    float *peak;    // [queries * heads], m; NOTHING where every key is hidden
    float *total;   // [queries * heads]
};

// Whether the kernels can compute it: types they know, sizes in whole vectors, something to do.
bool possible(const Attention &);

constexpr float NOTHING = -1e30f;

struct ExpandedKernel;

// One way to compute a share, for one kind of processor.
struct Kernel {
    const char *name;
    bool        exact;                                                   // products in f32, not in 16 bits
    bool (*runs)();                                                      // whether this processor can
    size_t (*scratch)(const Attention &, int queries);                   // bytes that `share` needs, for so many queries
    void (*share)(const Attention &, const Share &, std::byte *scratch); // scratch aligned to 64 bytes
    // `count` shares of the same rows into one result, [rows][latent], which may be the first's sums. Sums lie `sums_stride` floats apart
    // from share to share, peaks and totals `row_stride`.
    void (*merge)(const Share &first, int count, size_t sums_stride, size_t row_stride, size_t rows, size_t latent, float *out);
    double (*peak)(double seconds);                                      // operations a second of one thread that only multiplies and adds
    int keys;                                                            // cells of a tile: shares that begin and end with one waste nothing
    const ExpandedKernel *expanded;                                      // the expanded form, for large batches (expanded.hpp); null: none
};

// The kernels that are compiled in, best first, and their number.
const Kernel *const *kernels(int &count);

// The one of that name, or null where there is none.
const Kernel *kernel_named(const char *name);

class Team;
class Block;

// Compute it with the threads of `team`. Intermediate results lie in `memory`, which keeps its size from call to call: up to 64 MiB of partial
// results, and 1 to 4 MiB a thread at K2's sizes; without one, in memory of the calling thread. Raises std::bad_alloc.
void attend(const Attention &, const Kernel &, Team &, Block &memory);
void attend(const Attention &, const Kernel &, Team &);

} // namespace kimicode
