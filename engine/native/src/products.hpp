// What both forms of attention do with a block of rows and a tile of cells: two products, and a softmax between them.
//
// Rows are packed: PANEL of them side by side in the lanes, [word][row of the panel]. Cells, and values, are plain: [cell][word] where one
// word goes to all lanes, [key group][column] where columns are in the lanes. Scores and weights are [key][row], STRIDE rows wide.

#pragma once

#include "attention.hpp"
#include "vector.hpp"

#include <algorithm>

namespace kimicode {

// A tile whose greatest weight is below this share of another's is not added: a million such tiles are less than f32 notices.
constexpr float SILENT = 0x1p-40f;
constexpr float LOG2_E = 1.44269504f; // scores are in base 2

// Rows of `width` words in chunks of `chunk` words, each chunk with a scale of its own where the arithmetic is scaled.
struct Chunks {
    int width, chunk, count;
};

// out[cell][row] for A::key_rows cells and a panel of rows. Scales: [cell][chunk] of the cells, [chunk][row] of the rows.
template <class A>
inline __attribute__((always_inline)) void multiply(const Chunks &c, const int32_t *panel, const int32_t *cells, const float *cell_scale,
                                                    const float *row_scale, size_t row_scale_stride, float *out, size_t stride) {
    using L = Lanes<A::lanes>;
    constexpr int M = A::row_vectors, N = A::key_rows, PANEL = M * A::lanes;
    for (int chunk = 0; chunk < c.count; ++chunk) {
        typename A::Sum sum[N][M] = {};
        int end = std::min(c.width, (chunk + 1) * c.chunk);
        for (int word = chunk * c.chunk; word < end; ++word) {
            typename L::I rows[M];
#pragma GCC unroll 8
            for (int m = 0; m < M; ++m) rows[m] = L::load(panel + (size_t)word * PANEL + m * A::lanes);
#pragma GCC unroll 8
            for (int n = 0; n < N; ++n) {
                typename L::I cell = L::splat(cells[(size_t)n * c.width + word]);
#pragma GCC unroll 8
                for (int m = 0; m < M; ++m) A::multiply_add(sum[n][m], rows[m], cell);
            }
        }
        const float *scale = row_scale + chunk * row_scale_stride;
#pragma GCC unroll 8
        for (int n = 0; n < N; ++n)
#pragma GCC unroll 8
            for (int m = 0; m < M; ++m) {
                float *target = out + n * stride + m * A::lanes;
                typename L::F value = A::value(sum[n][m]);
                if (A::scaled) value = value * (L::splat(cell_scale[n * c.count + chunk]) * L::load(scale + m * A::lanes));
                L::store(target, chunk == 0 ? value : L::load(target) + value);
            }
    }
}

// Scores of A::lanes rows become weights, [key group][row], for `count` keys. `peak` and `total` are what the rows have so far; keep and add
// say how their sums go on: sums * keep + products * add. `value_scale` is each key's, where the arithmetic is scaled.
template <class A>
inline void soften(float *scores, int stride, int count, const float *value_scale, int32_t *weights, float *peak, float *total, float *keep,
                   float *add) {
    using L = Lanes<A::lanes>;
    using F = typename L::F;
    F top = L::splat(NOTHING);
    for (int key = 0; key < count; ++key) top = L::max(top, L::load(scores + (size_t)key * stride));
    F sum{}, weighted{}, most{};
    for (int key = 0; key < count; ++key) {
        F weight = L::exp2(L::load(scores + (size_t)key * stride) - top);
        sum += weight;
        if constexpr (A::scaled) {
            weight *= L::splat(value_scale[key]);
            weighted += weight;
            most = L::max(most, weight);
        }
        L::store(scores + (size_t)key * stride, weight);
    }
    int padded = (count + A::group - 1) / A::group * A::group;
    for (int key = count; key < padded; ++key) L::store(scores + (size_t)key * stride, F{});
    F scale = L::splat(1.0f);
    if constexpr (A::scaled) scale = A::weight_scale(weighted, most);
    for (int key = 0; key < padded; key += A::group)
        L::store(weights + (size_t)(key / A::group) * stride, A::encode_weights(scores + (size_t)key * stride, stride, scale));
    F before = L::load(peak), now = L::max(before, top);
    F kept = L::exp2(before - now), added = L::exp2(top - now);
    added = added < L::splat(SILENT) ? F{} : added;
    L::store(peak, now);
    L::store(total, L::load(total) * kept + sum * added);
    L::store(keep, kept);
    L::store(add, A::scaled ? added / scale : added);
}

// Whether the tile adds nothing to `count` rows and their sums stay as they are.
inline bool silent(const float *keep, const float *add, int count) {
    for (int n = 0; n < count; ++n)
        if (add[n] != 0 || keep[n] != 1) return false;
    return true;
}

// sums[row] = sums[row] * keep[row] + add[row] * Σ weights · values, for N rows and A::column_vectors vectors of columns.
template <class A, int N>
inline __attribute__((always_inline)) void accumulate_part(const int32_t *weights, int weight_stride, const int32_t *values, int value_stride,
                                                           int groups, const float *keep, const float *add, float *sums, size_t stride) {
    using L = Lanes<A::lanes>;
    constexpr int M = A::column_vectors;
    if (silent(keep, add, N)) return;
    typename A::Sum sum[N][M] = {};
    for (int at = 0; at < groups; ++at) {
        typename L::I columns[M];
#pragma GCC unroll 8
        for (int m = 0; m < M; ++m) columns[m] = L::load(values + (size_t)at * value_stride + m * A::lanes);
#pragma GCC unroll 8
        for (int n = 0; n < N; ++n) {
            typename L::I weight = L::splat(weights[(size_t)at * weight_stride + n]);
#pragma GCC unroll 8
            for (int m = 0; m < M; ++m) A::multiply_add(sum[n][m], columns[m], weight);
        }
    }
#pragma GCC unroll 8
    for (int n = 0; n < N; ++n)
#pragma GCC unroll 8
        for (int m = 0; m < M; ++m) {
            float *target = sums + n * stride + m * A::lanes;
            L::store(target, L::load(target) * L::splat(keep[n]) + A::value(sum[n][m]) * L::splat(add[n]));
        }
}

// The same for `rows` rows and `columns` columns.
template <class A>
inline __attribute__((noinline)) void accumulate(const int32_t *weights, int weight_stride, const int32_t *values, int value_stride, int groups,
                                                 const float *keep, const float *add, float *sums, size_t stride, int rows, int columns) {
    constexpr int WIDE = A::column_vectors * A::lanes;
    for (int column = 0; column < columns; column += WIDE) {
        auto part = [&]<int N>(int row) {
            accumulate_part<A, N>(weights + row, weight_stride, values + column, value_stride, groups, keep + row, add + row,
                                  sums + row * stride + column, stride);
        };
        int row = 0;
        for (; row + A::sum_rows <= rows; row += A::sum_rows) part.template operator()<A::sum_rows>(row);
        for (; row + 4 <= rows; row += 4) part.template operator()<4>(row);
        for (; row < rows; ++row) part.template operator()<1>(row);
    }
}

} // namespace kimicode
