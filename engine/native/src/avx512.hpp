// What all kernels for AVX-512 (F, BW, DQ, VL) share: sizes of register blocks, and conversions. How pairs are multiplied, each file says.

#pragma once

#include "vector.hpp"

#include <immintrin.h>

namespace kimicode {
namespace {

struct Avx512 {
    static constexpr int lanes = 16;
    // 32 registers: sums, the vectors of rows (or columns), one word for all lanes. Scores have few rows and many keys, since Q comes from
    // the second cache and is read again for every block of keys: 16 bytes a cycle at two products a cycle. A strip of V and the weights
    // fit a first cache of 32 KiB.
    static constexpr int row_vectors = 2, key_rows = 8, column_vectors = 4, sum_rows = 6;
    static constexpr int pair_key_rows = 8, pair_sum_rows = 6;
    static constexpr int exact_keys = 64, pair_keys = 96;
    using L = Lanes<lanes>;
    typedef int16_t Halves __attribute__((vector_size(32)));
    static constexpr __mmask16 ALL = 0xffff; // the forms without a mask begin with a register that GCC 12 calls uninitialised

    static inline __attribute__((always_inline)) L::F half(const uint16_t *p) {
        Halves bits;
        memcpy(&bits, p, sizeof bits);
        return (L::F)_mm512_maskz_cvtph_ps(ALL, (__m256i)bits);
    }
    // The nearest whole numbers; two of them, 16 bits each, in a word; 32 of them, packed.
    static inline __attribute__((always_inline)) L::I whole(L::F x) { return (L::I)_mm512_maskz_cvtps_epi32(ALL, (__m512)x); }
    static inline __attribute__((always_inline)) L::I pair(L::I low, L::I high) { return (low & 0xffff) | (high << 16); }
    static inline __attribute__((always_inline)) void narrow(int16_t *out, L::I a, L::I b) {
        Halves first = __builtin_convertvector(a, Halves), second = __builtin_convertvector(b, Halves);
        memcpy(out, &first, sizeof first);
        memcpy(out + lanes, &second, sizeof second);
    }
};

// The processor has it and the system keeps its registers.
inline bool has_avx512() {
    return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq") &&
           __builtin_cpu_supports("avx512vl");
}

} // namespace
} // namespace kimicode
