// Orthonormal bases of a head's matrices.
//
// Gram-Schmidt in f32, a panel of rows at a time, everything twice: then rows are orthogonal to rounding whatever the matrix's condition. A
// row that depends on those before it, but for a millionth of its length, becomes zeros: a basis may have fewer vectors than rows.
// What this module does not do: choose what the bases are for (expanded_tile.hpp).

#pragma once

#include "expanded.hpp"
#include "vector.hpp"

#include <algorithm>
#include <cmath>

namespace kimicode {

// Rows of `width` values, `stride` apart.
struct Rows {
    float *data;
    int    width, stride;

    float *operator[](int i) const { return data + (size_t)i * stride; }
};

// The matrix of one head as f32 rows of `latent` values: those of W, or the columns of K. `line` has room for the longer side.
void rows_of(const Factor &, int head, bool columns, const Rows &out, float *line);

template <int N> struct Basis {
    using L = Lanes<N>;
    using F = typename L::F;

    static constexpr int   PANEL = 8;
    static constexpr int   PIECE = 512;       // vectors whose parts are held at a time
    static constexpr float DEPENDENT = 1e-6f; // what is left of such a row is rounding
    static constexpr float SPOILT = 0.5f;     // a row that the second pass shortens so much was rounding too

    // The first `count` rows become an orthonormal basis of what they span; their width is a multiple of N. False: a value is not a number.
    static bool orthonormalise(const Rows &rows, int count) {
        for (int start = 0; start < count; start += PANEL) {
            int panel = std::min(PANEL, count - start);
            for (int i = start; i < start + panel; ++i)
                if (!normalise(rows[i], rows.width, 0)) return false;
            for (float least : {DEPENDENT, SPOILT}) {
                subtract(rows, 0, start, start, panel);
                for (int i = start; i < start + panel; ++i) {
                    for (int pass = 0; pass < 2; ++pass) subtract(rows, start, i, i, 1);
                    if (!normalise(rows[i], rows.width, least)) return false;
                }
            }
        }
        return true;
    }

    // To length 1; to zeros where it is not longer than `least`.
    static bool normalise(float *row, int width, float least) {
        F tops{};
        for (int at = 0; at < width; at += N) tops = L::max(L::abs(L::load(row + at)), tops); // in this order what is no number is lost
        float top = L::top(tops), factor = top > 0 ? 1 / top : 0; // no square then overflows or vanishes
        if (!(factor < HUGE_VALF)) factor = 0;
        multiply(row, width, factor);
        float length = std::sqrt(dot(row, row, width));
        multiply(row, width, length * top > least ? 1 / length : 0);
        return std::isfinite(top) && std::isfinite(length);
    }

    static void multiply(float *row, int width, float factor) {
        for (int at = 0; at < width; at += N) L::store(row + at, L::load(row + at) * L::splat(factor));
    }

    static float dot(const float *a, const float *b, int width) {
        F sums[4] = {};
        int at = 0;
        for (; at + 4 * N <= width; at += 4 * N)
#pragma GCC unroll 4
            for (int i = 0; i < 4; ++i) sums[i] += L::load(a + at + i * N) * L::load(b + at + i * N);
        for (; at < width; at += N) sums[0] += L::load(a + at) * L::load(b + at);
        return L::sum((sums[0] + sums[1]) + (sums[2] + sums[3]));
    }

    // From each of `panel` rows, `row` and those after it, its parts along the vectors from `first` to `end`.
    static void subtract(const Rows &rows, int first, int end, int row, int panel) {
        float parts[PIECE][PANEL];
        for (; first < end; first += PIECE) {
            int some = std::min(PIECE, end - first);
            for (int j = 0; j < some; ++j) products(rows, first + j, row, panel, parts[j]);
            int j = 0;
            for (; j + 4 <= some; j += 4)
                for (int i = 0; i < panel; ++i) take_off<4>(rows, first + j, row + i, parts + j, i);
            for (; j < some; ++j)
                for (int i = 0; i < panel; ++i) take_off<1>(rows, first + j, row + i, parts + j, i);
        }
    }

    static void products(const Rows &rows, int vector, int row, int panel, float *out) {
        if (panel < PANEL) {
            for (int i = 0; i < panel; ++i) out[i] = dot(rows[vector], rows[row + i], rows.width);
            return;
        }
        F sums[PANEL] = {};
        const float *basis = rows[vector], *first = rows[row];
        for (int at = 0; at < rows.width; at += N) {
            F values = L::load(basis + at);
#pragma GCC unroll 8
            for (int i = 0; i < PANEL; ++i) sums[i] += values * L::load(first + (size_t)i * rows.stride + at);
        }
        for (int i = 0; i < PANEL; ++i) out[i] = L::sum(sums[i]);
    }

    // Several vectors at a time, so that the row is read and written less often.
    template <int COUNT> static void take_off(const Rows &rows, int vector, int row, const float (*parts)[PANEL], int i) {
        const float *basis = rows[vector];
        float *target = rows[row];
        for (int at = 0; at < rows.width; at += N) {
            F value = L::load(target + at);
#pragma GCC unroll 4
            for (int j = 0; j < COUNT; ++j) value -= L::splat(parts[j][i]) * L::load(basis + (size_t)j * rows.stride + at);
            L::store(target + at, value);
        }
    }
};

} // namespace kimicode
