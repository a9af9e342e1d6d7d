// Q4_0 products of many rows of W at a time, one in each lane of a vector, for any instruction set.
//
// A block of each of the rows becomes eight vectors, whose lanes have four weights of their row each; four activations, in all lanes, are
// multiplied with them. So no sum is ever spread over a vector, scales are one vector too, and what was unpacked serves several rows of
// activations: for a few it stays in registers, and for more in the first cache, some groups of some rows of W at a time. Either way sums are
// added up in the same order.
//
// An instruction set `S` says how many `lanes` it has, unpacks blocks (`unpack`, `scales`), and multiplies and adds four products a lane
// (`word`, `first`, `add`), in sums of its own that `whole` makes f32. What this does not do: divide work among threads.

#pragma once

#include "../vector.hpp"
#include "int4.hpp"

#include <algorithm>

namespace kimicode {

template <class S> struct Int4Tile {
    static constexpr int LANES = S::lanes, WORDS = GROUP / 4;
    static constexpr int FEW = 3;              // rows of activations for which nothing unpacked is kept
    static constexpr int TALL = 4, WIDE = 2;   // of a register block: rows of activations, and vectors of rows of W
    static constexpr int ROWS = WIDE * LANES;  // of W, best together
    static constexpr int CHUNK = 256 / LANES;  // groups of ROWS rows: 16 KiB
    static constexpr int MANY = 32;            // rows of activations that stay in the second cache: 288 KiB at a width of 7,168
    using L = Lanes<LANES>;
    using F = typename L::F;
    using Bytes = typename S::Bytes;
    using Sum = typename S::Sum;

    // LANES or more rows of W.
    struct Rows {
        const std::byte *start;
        size_t           stride; // bytes; 0: all are the same one
        int              groups;
        const std::byte *ahead; // the rows that come next, where there are any
    };

    // N vectors of rows of W unpacked, some groups of them.
    template <int N> struct Chunk {
        Bytes values[CHUNK][WORDS][N];
        F     scales[CHUNK][N];
    };

    // Rows that come next are fetched meanwhile, in the order of their addresses: rows are too short for processors to see them coming.
    static inline __attribute__((always_inline)) void fetch(const std::byte *start) {
#pragma GCC unroll 8
        for (size_t at = 0; at < LANES * INT4_BLOCK; at += 64) __builtin_prefetch(start + at);
    }

    // One group of M rows of activations times N vectors of rows: `out` [M][N] += the products.
    template <int N, int M>
    static inline __attribute__((always_inline)) void multiply_group(const Bytes *w, const F *scales, const Activations *const *x, int at, F *out) {
        Sum sum[M][N];
#pragma GCC unroll 8
        for (int i = 0; i < WORDS; ++i)
#pragma GCC unroll 4
            for (int m = 0; m < M; ++m) {
                auto word = S::word(x[m][at].values + 4 * i);
#pragma GCC unroll 2
                for (int n = 0; n < N; ++n) sum[m][n] = i == 0 ? S::first(w[n], word) : S::add(sum[m][n], w[i * N + n], word);
            }
#pragma GCC unroll 4
        for (int m = 0; m < M; ++m)
#pragma GCC unroll 2
            for (int n = 0; n < N; ++n) out[m * N + n] += S::whole(sum[m][n], x[m][at].offset) * (scales[n] * L::splat(x[m][at].scale));
    }

    // N vectors of rows times M rows of activations: `out` [M][N].
    template <int N, int M> static void multiply_few(const Rows &w, const Activations *const *x, F *out) {
        F sum[M * N] = {};
        const std::byte *block = w.start, *ahead = w.ahead;
        for (int g = 0; g < w.groups; ++g, block += INT4_BLOCK) {
            Bytes values[WORDS][N];
            F     scales[N];
#pragma GCC unroll 2
            for (int n = 0; n < N; ++n, ahead += LANES * INT4_BLOCK) {
                fetch(ahead);
                S::unpack(block + n * LANES * w.stride, w.stride, values[0] + n, N);
                scales[n] = S::scales(block + n * LANES * w.stride, w.stride);
            }
#pragma GCC unroll 4
            for (int m = 0; m < M; ++m) multiply_group<N, 1>(values[0], scales, x + m, g, sum + m * N);
        }
        memcpy(out, sum, sizeof sum);
    }

    template <int N> static void unpack(const Rows &w, int from, int groups, Chunk<N> &out) {
        const std::byte *start = w.start + from * INT4_BLOCK;
        for (int g = 0; g < groups; ++g, start += INT4_BLOCK)
#pragma GCC unroll 2
            for (int n = 0; n < N; ++n) {
                const std::byte *rows = start + n * LANES * w.stride;
                S::unpack(rows, w.stride, out.values[g][0] + n, N);
                out.scales[g][n] = S::scales(rows, w.stride);
            }
    }

    template <int N, int M> static void multiply_chunk(const Chunk<N> &w, const Activations *const *x, int from, int groups, F *out) {
        for (int g = 0; g < groups; ++g) multiply_group<N, M>(w.values[g][0], w.scales[g], x, from + g, out);
    }

    // N vectors of rows times `count` rows of activations: `out` [count][N].
    template <int N> static void multiply_many(const Rows &w, const Activations *const *x, int count, F *out) {
        Chunk<N> chunk;
        memset(out, 0, (size_t)count * N * sizeof *out);
        for (int from = 0; from < w.groups; from += CHUNK) {
            int groups = std::min(CHUNK, w.groups - from), m = 0;
            unpack(w, from, groups, chunk);
            for (; m + TALL <= count; m += TALL) multiply_chunk<N, TALL>(chunk, x + m, from, groups, out + m * N);
            switch (count - m) {
                case 3: multiply_chunk<N, 3>(chunk, x + m, from, groups, out + m * N); break;
                case 2: multiply_chunk<N, 2>(chunk, x + m, from, groups, out + m * N); break;
                case 1: multiply_chunk<N, 1>(chunk, x + m, from, groups, out + m * N); break;
            }
        }
    }

    // The same by whichever is faster; two vectors share what they read of one row of activations, registers are too few for more rows.
    template <int N> static void multiply_rows(const Rows &w, const Activations *const *x, int count, F *out) {
        if (count == 1) return multiply_few<N, 1>(w, x, out);
        if (N == 1 && count == 2) return multiply_few<1, 2>(w, x, out);
        if (N == 1 && count == 3) return multiply_few<1, 3>(w, x, out);
        multiply_many<N>(w, x, count, out);
    }

    // The results of `rows` rows from `first` on, for at most MANY rows of activations; N vectors hold them.
    template <int N> static void multiply_part(const Product &p, int first, int rows) {
        size_t           row = p.width / GROUP * INT4_BLOCK;
        const std::byte *start = p.weights + first * row;
        bool             more = first + 2 * N * LANES <= p.last;
        F                sums[MANY * N];
        multiply_rows<N>({start, rows > 1 ? row : 0, p.width / GROUP, more ? start + N * LANES * row : start},
                         reinterpret_cast<const Activations *const *>(p.rows), p.count, sums);
        for (int m = 0; m < p.count; ++m) memcpy(p.out[m] + first, sums + m * N, rows * sizeof(float));
    }

    static void multiply(const Product &all) {
        Product p = all;
        for (int from = 0; from < all.count; from += MANY) {
            p.rows = all.rows + from;
            p.out = all.out + from;
            p.count = std::min(MANY, all.count - from);
            int first = p.first;
            if (p.count == 1 || p.count > FEW)
                for (; first + WIDE * LANES <= p.last; first += WIDE * LANES) multiply_part<WIDE>(p, first, WIDE * LANES);
            for (; first + LANES <= p.last; first += LANES) multiply_part<1>(p, first, LANES);
            // The last vector has some rows a second time, or, where there are too few for one, each row has its own.
            if (first < p.last && p.last - p.first >= LANES) multiply_part<1>(p, p.last - LANES, LANES);
            else
                for (; first < p.last; ++first) multiply_part<1>(p, first, 1);
        }
    }
};

} // namespace kimicode
