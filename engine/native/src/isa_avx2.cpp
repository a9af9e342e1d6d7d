// x86-64 with AVX2, FMA and F16C: every server and laptop since 2013 (Intel) and 2017 (AMD).

#include "tile.hpp"
#include "arithmetic.hpp"
#include "kernel.hpp"

#include <immintrin.h>

namespace kimicode {
namespace {

struct Avx2 {
    static constexpr int lanes = 8;
    // 16 registers: 12 sums, two vectors of rows (or columns), one word for all lanes.
    static constexpr int row_vectors = 2, key_rows = 6, column_vectors = 2, sum_rows = 6;
    static constexpr int pair_key_rows = 6, pair_sum_rows = 6;
    static constexpr int exact_keys = 60, pair_keys = 96;
    using L = Lanes<lanes>;

    static inline __attribute__((always_inline)) L::F half(const uint16_t *p) {
        return (L::F)_mm256_cvtph_ps(_mm_loadu_si128(reinterpret_cast<const __m128i *>(p)));
    }
    static inline __attribute__((always_inline)) void pairs(L::I &sum, L::I a, L::I b) {
        sum += (L::I)_mm256_madd_epi16((__m256i)a, (__m256i)b);
    }
    // The nearest whole numbers; two of them, 16 bits each, in a word; 16 of them, packed.
    static inline __attribute__((always_inline)) L::I whole(L::F x) { return (L::I)_mm256_cvtps_epi32((__m256)x); }
    static inline __attribute__((always_inline)) L::I pair(L::I low, L::I high) {
        return (L::I)_mm256_blend_epi16((__m256i)low, _mm256_slli_epi32((__m256i)high, 16), 0xaa);
    }
    static inline __attribute__((always_inline)) void narrow(int16_t *out, L::I a, L::I b) {
        __m256i packed = _mm256_packs_epi32((__m256i)a, (__m256i)b);
        _mm256_storeu_si256(reinterpret_cast<__m256i *>(out), _mm256_permute4x64_epi64(packed, 0xd8));
    }
};

// F16C, which not every compiler can ask for, is older than AVX2.
bool runs() { return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"); }

} // namespace

extern const Kernel avx2_exact = kernel_of<Exact<Avx2>>("avx2-exact", true, runs);
extern const Kernel avx2_pairs = kernel_of<Pairs<Avx2>>("avx2-pairs", false, runs);

} // namespace kimicode
