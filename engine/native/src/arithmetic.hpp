// The two arithmetics: exact (f32) and fast (pairs of 16-bit integers), for any instruction set.
//
// An instruction set `S` gives its lanes, the sizes of its register blocks, how it reads half precision, and how it multiplies and adds
// pairs.
//
// Pairs: a chunk of a row becomes whole numbers by one scale, as large as the sum of 32 bits allows: |q · k| <= |q| |k|, and so is every
// partial sum, therefore norms of NORM never overflow. The error of a chunk's score is then about 9e-6 of |q| |k|. Chunks are short, and
// none holds both latent and rotated values, because those may differ a thousandfold. The same cell's values have a scale of their own.
// Weights are scaled so that Σ weight · value stays in 32 bits too, a tile of a row at a time. Squares of values must be normal f32
// numbers: values below 1e-19 count as zero, a cell that holds one above 1e19 is lost.

#pragma once

#include "attention.hpp"
#include "vector.hpp"

#include <algorithm>
#include <cmath>

namespace kimicode {

constexpr float NORM = 46300.0f;  // NORM² < 2^31, less what rounding adds
constexpr float LARGEST = 32767.0f;
constexpr float VALUE = 8190.0f; // of a value; a tile of equal weights then has about as many bits each
constexpr float SUM = 2.14e9f;

// The cells of a cache as f32, `width` values.
template <class S> struct Reader {
    using L = Lanes<S::lanes>;

    static inline void read(const std::byte *cell, Cell type, int width, float *out) {
        switch (type) {
            case Cell::f32: memcpy(out, cell, (size_t)width * 4); break;
            case Cell::f16:
                for (int i = 0; i < width; i += S::lanes) L::store(out + i, S::half(reinterpret_cast<const uint16_t *>(cell) + i));
                break;
            case Cell::bf16: {
                const uint16_t *values = reinterpret_cast<const uint16_t *>(cell);
                for (int i = 0; i < width; ++i) {
                    uint32_t bits = (uint32_t)values[i] << 16;
                    memcpy(out + i, &bits, 4);
                }
                break;
            }
            case Cell::q8_0: // blocks of 32: an f16 scale, then 32 signed bytes
                for (int i = 0; i < width; i += 32, cell += 34, out += 32) {
                    uint16_t bits;
                    memcpy(&bits, cell, 2);
                    float scale = half_to_float(bits);
                    const int8_t *values = reinterpret_cast<const int8_t *>(cell + 2);
                    for (int j = 0; j < 32; ++j) out[j] = (float)values[j] * scale;
                }
                break;
        }
    }
};

template <class S> struct Exact {
    static constexpr int lanes = S::lanes, group = 1, keys = S::exact_keys;
    static constexpr int row_vectors = S::row_vectors, key_rows = S::key_rows;
    static constexpr int column_vectors = S::column_vectors, sum_rows = S::sum_rows;
    static constexpr bool own_values = false, scaled = false;
    using L = Lanes<lanes>;
    using F = typename L::F;
    using I = typename L::I;
    using Sum = F;

    static inline __attribute__((always_inline)) void multiply_add(Sum &sum, I a, I b) { sum += (F)a * (F)b; }
    static inline __attribute__((always_inline)) F value(Sum sum) { return sum; }

    static float row_scale(const float *, int, float) { return 1; }
    static float result_scale(float scale, float) { return scale; }
    static void encode_words(const float *row, int count, float factor, float, int32_t *out) {
        for (int i = 0; i < count; ++i) {
            float value = row[i] * factor;
            memcpy(out + i, &value, 4);
        }
    }
    static void copy_cell(const float *row, int words, int32_t *out) { memcpy(out, row, (size_t)words * 4); }
    static void read_cell(const std::byte *cell, Cell type, int width, float *out) { Reader<S>::read(cell, type, width, out); }
    static inline __attribute__((always_inline)) I encode_weights(const float *weights, int, F) { return (I)L::load(weights); }
};

template <class S> struct Pairs {
    static constexpr int lanes = S::lanes, group = 2, keys = S::pair_keys;
    static constexpr int row_vectors = S::row_vectors, key_rows = S::pair_key_rows;
    static constexpr int column_vectors = S::column_vectors, sum_rows = S::pair_sum_rows;
    static constexpr bool own_values = true, scaled = true;
    using L = Lanes<lanes>;
    using F = typename L::F;
    using I = typename L::I;
    using Sum = I;

    static inline __attribute__((always_inline)) void multiply_add(Sum &sum, I a, I b) { S::pairs(sum, a, b); }
    static inline __attribute__((always_inline)) F value(Sum sum) { return __builtin_convertvector(sum, F); }

    // What to multiply `width` values with, so that they are whole numbers as large as they may be.
    static float row_scale(const float *row, int width, float) {
        F tops{};
        float squares = count_squares(row, width, tops), most = L::top(tops);
        return most > 0 ? std::min(NORM / std::sqrt(squares), LARGEST / std::sqrt(most)) : 0.0f;
    }
    static float result_scale(float scale, float factor) { return scale > 0 ? factor / scale : 0; }
    static void encode_words(const float *row, int count, float, float scale, int32_t *out) {
        for (int i = 0; i < count; i += 2) {
            int low = (int)std::nearbyint(row[i] * scale), high = (int)std::nearbyint(row[i + 1] * scale);
            out[i / 2] = (low & 0xffff) | (int32_t)((uint32_t)high << 16);
        }
    }
    static void read_cell(const std::byte *cell, Cell type, int width, float *out) { Reader<S>::read(cell, type, width, out); }

    // Words that share a scale.
    static int chunk_of(int latent) { return latent % 128 == 0 ? 64 : 32; }

    // The sum of `width` squares, and the greatest of each lane.
    static inline float count_squares(const float *row, int width, F &tops) {
        F squares[2] = {};
        for (int at = 0; at < width; at += 2 * lanes) {
#pragma GCC unroll 2
            for (int i = 0; i < 2; ++i) {
                F x = L::load(row + at + i * lanes), square = x * x;
                squares[i] += square;
                tops = L::max(tops, square);
            }
        }
        return L::sum(squares[0] + squares[1]);
    }

    // Chunks of K by scales of their own, V by one scale a cell: its columns are added up over the keys.
    static void encode_apart(const float *const *rows, int words, int chunk, int latent, int32_t *k, int32_t *v, float *k_step, float *v_step) {
        int chunks = (words + chunk - 1) / chunk, width = words * 2;
        F v_factor[2];
        for (int i = 0; i < 2; ++i) {
            F latents{};
            for (int c = 0, start = 0; start < width; ++c, start += chunk * 2) {
                F tops{};
                float squares = count_squares(rows[i] + start, std::min(width - start, chunk * 2), tops);
                k_step[i * chunks + c] = std::max(squares / (NORM * NORM), L::top(tops) / (LARGEST * LARGEST));
                if (start < latent) latents = L::max(latents, tops);
            }
            v_step[i] = std::sqrt(L::top(latents)) / VALUE;
            v_factor[i] = L::splat(v_step[i] > 0 ? 1 / v_step[i] : 0);
        }
        for (int i = 0; i < 2 * chunks; ++i) k_step[i] = std::sqrt(k_step[i]); // in vectors
        int16_t *k_even = reinterpret_cast<int16_t *>(k), *k_odd = k_even + (size_t)width;
        for (int c = 0, start = 0; start < width; ++c, start += chunk * 2) {
            F factor[2];
            for (int i = 0; i < 2; ++i) factor[i] = L::splat(k_step[i * chunks + c] > 0 ? 1 / k_step[i * chunks + c] : 0);
            for (int at = start; at < std::min(width, start + chunk * 2); at += 2 * lanes) {
                F even[2], odd[2];
#pragma GCC unroll 2
                for (int i = 0; i < 2; ++i) {
                    even[i] = L::load(rows[0] + at + i * lanes);
                    odd[i] = L::load(rows[1] + at + i * lanes);
                    if (at + i * lanes < latent)
                        L::store(v + at + i * lanes, S::pair(S::whole(even[i] * v_factor[0]), S::whole(odd[i] * v_factor[1])));
                }
                S::narrow(k_even + at, S::whole(even[0] * factor[0]), S::whole(even[1] * factor[0]));
                S::narrow(k_odd + at, S::whole(odd[0] * factor[1]), S::whole(odd[1] * factor[1]));
            }
        }
    }
    // Weights fit in 16 bits, `most` being the greatest, and their sum times VALUE in 32.
    static F weight_scale(F weighted, F most) {
        return L::min(L::splat(LARGEST) / L::max(most, L::splat(1e-30f)), L::splat(SUM / VALUE) / weighted);
    }
    static inline __attribute__((always_inline)) I encode_weights(const float *weights, int stride, F scale) {
        return S::pair(S::whole(L::load(weights) * scale), S::whole(L::load(weights + stride) * scale));
    }
};

} // namespace kimicode
