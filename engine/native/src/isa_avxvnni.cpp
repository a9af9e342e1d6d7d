// x86-64 with AVX-VNNI: Intel's processors since Alder Lake without AVX-512, AMD since Zen 5. AVX2's registers, and one instruction for
// 16 pairs.

#include "arithmetic.hpp"
#include "kernel.hpp"
#include "tile.hpp"

#include <cpuid.h>
#include <immintrin.h>

namespace kimicode {
namespace {

struct AvxVnni {
    static constexpr int lanes = 8;
    // 16 registers: 12 sums, two vectors of rows (or columns), one word for all lanes.
    static constexpr int row_vectors = 2, column_vectors = 2;
    static constexpr int pair_key_rows = 6, pair_sum_rows = 6, pair_keys = 96;
    using L = Lanes<lanes>;
    typedef int16_t Halves __attribute__((vector_size(16)));

    static inline __attribute__((always_inline)) L::F half(const uint16_t *p) {
        Halves bits;
        memcpy(&bits, p, sizeof bits);
        return (L::F)_mm256_cvtph_ps((__m128i)bits);
    }
    static inline __attribute__((always_inline)) void pairs(L::I &sum, L::I a, L::I b) {
        sum = (L::I)_mm256_dpwssd_avx_epi32((__m256i)sum, (__m256i)a, (__m256i)b);
    }
    // The nearest whole numbers; two of them, 16 bits each, in a word; 16 of them, packed.
    static inline __attribute__((always_inline)) L::I whole(L::F x) { return (L::I)_mm256_cvtps_epi32((__m256)x); }
    static inline __attribute__((always_inline)) L::I pair(L::I low, L::I high) { return (low & 0xffff) | (high << 16); }
    static inline __attribute__((always_inline)) void narrow(int16_t *out, L::I a, L::I b) {
        Halves first = __builtin_convertvector(a, Halves), second = __builtin_convertvector(b, Halves);
        memcpy(out, &first, sizeof first);
        memcpy(out + lanes, &second, sizeof second);
    }
};

// Compilers have no name for it that all of them know. Intel's manual: leaf 7, subleaf 1, EAX bit 4.
bool has_avx_vnni() {
    unsigned a, b, c, d;
    return __get_cpuid_count(7, 1, &a, &b, &c, &d) && (a >> 4 & 1);
}

bool runs() { // AVX2 also says that the system keeps the registers, and that there is F16C, which not all compilers know by name
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && has_avx_vnni();
}

} // namespace

extern const Kernel avxvnni_pairs = kernel_of<Pairs<AvxVnni>>("avxvnni-pairs", false, runs);

} // namespace kimicode
