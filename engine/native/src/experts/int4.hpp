// Q4_0 weights times quantised rows: what the kernels of all instruction sets have in common.
//
// A block of 32 weights, as ggml writes it: an f16 scale, then 16 bytes, whose low halves are values 0 to 15 and whose high halves are 16 to
// 31, each a whole number 0 to 15 that stands for itself less 8. Rows of activations become groups of 32 bytes with an f32 scale each. All of
// a group's products are summed exactly: Σ (w - 8) x = Σ w x - 8 Σ x, so that weights stay unsigned, and groups are added in f32, one after
// the other: float rounding, 3e-7 of the row, is all that a kernel adds to what quantisation does.

#pragma once

#include "weights.hpp"

#include <cstdint>

namespace kimicode {

constexpr int    GROUP = 32;      // values
constexpr size_t INT4_BLOCK = 18; // bytes
constexpr int    TYPE_Q4_0 = 2;   // ggml's number

// 32 activations; each is value * scale. A group that holds something that is no finite number has a scale that is none either; one whose
// values are all below 1e-36 is zero.
struct Activations {
    float   scale;
    int32_t offset; // 8 Σ values
    int8_t  values[GROUP];
};
static_assert(sizeof(Activations) == 40);

struct Int4Kernel {
    const char *name;
    bool (*runs)(); // on this processor
    int rows_together;
    void (*multiply)(const Product &);
};

// All of this build, the best first.
const Int4Kernel *const *int4_kernels(int &count);

void quantise(const float *row, int width, Activations *out);

// Those that run here, the best first; null behind the last one.
const Weights *int4_weights(int index);

} // namespace kimicode
