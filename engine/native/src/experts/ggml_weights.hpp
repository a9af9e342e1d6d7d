// Weights of any type by llama.cpp's own products: what has no kernel of ours, and a check on what has.
//
// Taken from the ggml that this process has loaded, of the version that is declared here. What this does not do: load one.

#pragma once

#include "../ggml_abi.hpp"
#include "weights.hpp"

namespace ggml {

constexpr int TYPES = 43; // there are; some numbers are not used

// How the CPU multiplies weights of a type.
struct CpuTypeTraits {
    void (*from_float)(const float *, void *, int64_t);
    void (*vec_dot)(int width, float *out, size_t, const void *w, size_t, const void *x, size_t, int rows); // null: it doesn't
    int     vec_dot_type; // of x
    int64_t nrows;
};

} // namespace ggml

namespace kimicode {

// "ggml-q8_0" and so on; null for a type that ggml does not multiply, or where it, or its CPU's part, is not loaded.
const Weights *ggml_weights(int type);

} // namespace kimicode
