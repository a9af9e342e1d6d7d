// Vectors of `N` 32-bit lanes in the compiler's own vector extension, and what softmax needs of them.
//
// The same source makes code for every instruction set: its file is compiled with that set's flags. Nothing here is for one processor.

#pragma once

#include <cstdint>
#include <cstring>
#include <utility>

namespace kimicode {

inline float half_to_float(uint16_t h) {
    uint32_t sign = (uint32_t)(h & 0x8000) << 16, rest = h & 0x7fff, bits;
    if (rest >= 0x7c00) {
        bits = 0x7f800000 | (rest & 0x3ff) << 13;
    } else if (rest >= 0x0400) {
        bits = (rest + 0x1c000) << 13;
    } else {
        float value = (float)rest * 5.9604645e-8f; // a subnormal counts 2^-24
        memcpy(&bits, &value, 4);
    }
    bits |= sign;
    float value;
    memcpy(&value, &bits, 4);
    return value;
}

// g++ does not take a vector's size from a template's parameter everywhere, so each is written out.
template <int N> struct Vectors;
template <> struct Vectors<4> {
    typedef float   F __attribute__((vector_size(16)));
    typedef int32_t I __attribute__((vector_size(16)));
};
template <> struct Vectors<8> {
    typedef float   F __attribute__((vector_size(32)));
    typedef int32_t I __attribute__((vector_size(32)));
};
template <> struct Vectors<16> {
    typedef float   F __attribute__((vector_size(64)));
    typedef int32_t I __attribute__((vector_size(64)));
};

template <int N> struct Lanes {
    using F = typename Vectors<N>::F;
    using I = typename Vectors<N>::I;

    static inline __attribute__((always_inline)) F load(const float *p) {
        F x;
        memcpy(&x, p, sizeof x);
        return x;
    }
    static inline __attribute__((always_inline)) I load(const int32_t *p) {
        I x;
        memcpy(&x, p, sizeof x);
        return x;
    }
    static inline __attribute__((always_inline)) void store(float *p, F x) { memcpy(p, &x, sizeof x); }
    static inline __attribute__((always_inline)) void store(int32_t *p, I x) { memcpy(p, &x, sizeof x); }
    static inline __attribute__((always_inline)) F splat(float x) { return x - F{}; }
    static inline __attribute__((always_inline)) I splat(int32_t x) { return x - I{}; }
    static inline __attribute__((always_inline)) F max(F a, F b) { return a > b ? a : b; }
    static inline __attribute__((always_inline)) F min(F a, F b) { return a < b ? a : b; }
    static inline __attribute__((always_inline)) F abs(F a) { return (F)((I)a & 0x7fffffff); }

    // 2^x for x <= 0, also minus infinity; 0 below 2^-126. Relative error below 2e-7.
    static inline __attribute__((always_inline)) F exp2(F x) {
        F bounded = max(x, splat(-126.0f));
        F shifted = bounded + 12582912.0f;
        F f = bounded - (shifted - 12582912.0f); // -0.5 .. 0.5
        // Taylor's terms of 2^f, each ln(2)^k / k!.
        F y = splat(1.5403530e-4f);
        y = y * f + 1.3333558e-3f;
        y = y * f + 9.6181291e-3f;
        y = y * f + 5.5504109e-2f;
        y = y * f + 2.4022651e-1f;
        y = y * f + 6.9314718e-1f;
        y = y * f + 1.0f;
        I power = ((I)shifted - 0x4b400000 + 127) << 23;
        return x < splat(-126.0f) ? F{} : y * (F)power;
    }

    // The first halves of two vectors (or the second ones) dealt into each other: a0 b0 a1 b1 …
    template <int HALF, int... K> static inline __attribute__((always_inline)) I deal(I a, I b, std::integer_sequence<int, K...>) {
        return __builtin_shufflevector(a, b, (K / 2 + K % 2 * N + HALF * N / 2)...);
    }

    // Rows become columns: dealt until every word is in its place.
    static inline __attribute__((always_inline)) void transpose(I (&x)[N]) {
        constexpr std::make_integer_sequence<int, N> places;
        for (int step = 1; step < N; step *= 2) {
            I dealt[N];
#pragma GCC unroll 16
            for (int i = 0; i < N / 2; ++i) {
                dealt[2 * i] = deal<0>(x[i], x[i + N / 2], places);
                dealt[2 * i + 1] = deal<1>(x[i], x[i + N / 2], places);
            }
#pragma GCC unroll 16
            for (int i = 0; i < N; ++i) x[i] = dealt[i];
        }
    }

    static inline float sum(F x) {
        float total = 0;
        for (int i = 0; i < N; ++i) total += x[i];
        return total;
    }
    static inline float top(F x) {
        float best = x[0];
        for (int i = 1; i < N; ++i) best = x[i] > best ? x[i] : best;
        return best;
    }
};

} // namespace kimicode
