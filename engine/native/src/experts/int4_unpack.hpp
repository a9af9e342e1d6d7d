// Blocks of Q4_0 of some rows as vectors whose lanes are the rows, in the compiler's own vector extension.
//
// What this does not do: multiply, or convert scales, for which each instruction set has an instruction.

#pragma once

#include "../vector.hpp"
#include "int4.hpp"

namespace kimicode {

template <int N> struct Int4Unpack {
    using I = typename Vectors<N>::I;
    using Four = Vectors<4>::I;

    template <class V> static inline __attribute__((always_inline)) V load(const std::byte *p) {
        V x;
        memcpy(&x, p, sizeof x);
        return x;
    }

    // 16 bytes of each of a quarter of the rows, one after the other: those `step` apart.
    static inline __attribute__((always_inline)) I join(const std::byte *p, size_t step) {
        if constexpr (N == 4) {
            return load<Four>(p);
        } else if constexpr (N == 8) {
            return __builtin_shufflevector(load<Four>(p), load<Four>(p + step), 0, 1, 2, 3, 4, 5, 6, 7);
        } else {
            auto low = __builtin_shufflevector(load<Four>(p), load<Four>(p + step), 0, 1, 2, 3, 4, 5, 6, 7);
            auto high = __builtin_shufflevector(load<Four>(p + 2 * step), load<Four>(p + 3 * step), 0, 1, 2, 3, 4, 5, 6, 7);
            return __builtin_shufflevector(low, high, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
        }
    }

    // Words of each four dealt into each other, the first two of them or the others: one at a time (a0 b0 a1 b1), or two (a0 a1 b0 b1).
    template <int SIZE, int HALF, int... K> static inline __attribute__((always_inline)) I deal(I a, I b, std::integer_sequence<int, K...>) {
        return __builtin_shufflevector(a, b, (K / 4 * 4 + HALF * 2 + (SIZE == 1 ? K % 4 / 2 + K % 2 * N : K % 2 + K % 4 / 2 * N))...);
    }

    // out[i * step]: in each lane the weights 4 i to 4 i + 3 of one row's block, less their scale; the rows' blocks are `stride` apart.
    template <class S = Int4Unpack>
    static inline __attribute__((always_inline)) void values(const std::byte *block, size_t stride, I *out, int step) {
        constexpr std::make_integer_sequence<int, N> lanes;
        const std::byte *halves = block + sizeof(uint16_t);
        I rows[4];
#pragma GCC unroll 4
        for (int i = 0; i < 4; ++i) rows[i] = S::join(halves + i * stride, 4 * stride);
        I first[2] = {deal<1, 0>(rows[0], rows[1], lanes), deal<1, 1>(rows[0], rows[1], lanes)};
        I second[2] = {deal<1, 0>(rows[2], rows[3], lanes), deal<1, 1>(rows[2], rows[3], lanes)};
        I words[4] = {deal<2, 0>(first[0], second[0], lanes), deal<2, 1>(first[0], second[0], lanes),
                      deal<2, 0>(first[1], second[1], lanes), deal<2, 1>(first[1], second[1], lanes)};
#pragma GCC unroll 4
        for (int i = 0; i < 4; ++i) {
            out[i * step] = words[i] & 0x0f0f0f0f;
            out[(i + 4) * step] = words[i] >> 4 & 0x0f0f0f0f;
        }
    }

    static inline __attribute__((always_inline)) uint16_t half(const std::byte *p) { return load<uint16_t>(p); }

    // The rows' scales, in half precision.
    template <class H, int... K>
    static inline __attribute__((always_inline)) H halves(const std::byte *block, size_t stride, std::integer_sequence<int, K...>) {
        H all{};
        ((all[K] = half(block + K * stride)), ...);
        return all;
    }
    template <class H> static inline __attribute__((always_inline)) H halves(const std::byte *block, size_t stride) {
        return halves<H>(block, stride, std::make_integer_sequence<int, N>());
    }

    // Four activations in all lanes.
    static inline __attribute__((always_inline)) I word(const int8_t *four) {
        int32_t bits;
        memcpy(&bits, four, sizeof bits);
        return bits - I{};
    }
};

} // namespace kimicode
