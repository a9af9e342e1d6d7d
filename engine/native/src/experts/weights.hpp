// Matrices of experts as they lie in the file, and their products with rows of activations.
//
// W is [rows][width] in blocks of one of ggml's types, the same bytes on disk and in memory: nothing is repacked beforehand. A row of
// activations is quantised once and used for every row of every matrix. A product depends on its own row of activations and on how many
// rows were asked for together, on nothing else: not on threads, on how rows of W are divided, or on where the bytes came from.
// What this does not do: know experts, layers or threads.

#pragma once

#include <cstddef>

namespace kimicode {

// out[r][i] = W[i] · x[r] for first <= i < last and r < count.
struct Product {
    const std::byte        *weights; // where W's row 0 begins; any alignment
    int                     width;   // values of a row, a multiple of 32
    int                     first, last;
    const std::byte *const *rows; // of activations, as `quantise` made them
    int                     count;
    float *const           *out; // for each of these rows, its result for W's row 0
};

class Weights {
  public:
    virtual ~Weights() = default;

    virtual const char *name() const = 0; // as in "avx2-q4_0"
    virtual int         type() const = 0; // ggml's number of the weights' type

    // Whether rows of so many values can be multiplied.
    virtual bool takes(int width) const = 0;

    virtual size_t row_bytes(int width) const = 0; // of one row of W

    // One row of activations: bytes, a multiple of 64, and their making. `out` is aligned to 64 bytes.
    virtual size_t quantised_bytes(int width) const = 0;
    virtual void   quantise(const float *row, int width, std::byte *out) const = 0;

    // How a matrix is best divided: `first` and `last` of a product should be multiples of it.
    virtual int  rows_together() const = 0;
    virtual void multiply(const Product &) const = 0;
};

// Those for weights of `type` that run here, best first: our own, and last what llama.cpp has for that type, where it is loaded. Null
// behind the last one.
const Weights *weights_of(int type, int index);

// The best one, or the one that was chosen by name; null where there is none.
const Weights *weights_of(int type);
bool           choose_weights(const char *name);

} // namespace kimicode
