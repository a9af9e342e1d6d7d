// Q4_0 products on x86-64 with AVX2.

#include "int4_tile.hpp"

#include <immintrin.h>

namespace kimicode {
namespace {

struct Avx2 {
    static constexpr int lanes = 8;
    using Bytes = __m256i;
    using L = Lanes<lanes>;

    static inline __attribute__((always_inline)) __m128i load(const std::byte *p) {
        return _mm_loadu_si128(reinterpret_cast<const __m128i *>(p));
    }

    // Four rows and the four behind them side by side, and their words dealt until each is in its row's lane.
    static inline __attribute__((always_inline)) void unpack(const std::byte *block, size_t stride, Bytes *out, int step) {
        const std::byte *halves = block + sizeof(uint16_t);
        __m256i rows[4], dealt[4], words[4];
#pragma GCC unroll 4
        for (int i = 0; i < 4; ++i)
            rows[i] = _mm256_inserti128_si256(_mm256_castsi128_si256(load(halves + i * stride)), load(halves + (i + 4) * stride), 1);
        dealt[0] = _mm256_unpacklo_epi32(rows[0], rows[1]);
        dealt[1] = _mm256_unpackhi_epi32(rows[0], rows[1]);
        dealt[2] = _mm256_unpacklo_epi32(rows[2], rows[3]);
        dealt[3] = _mm256_unpackhi_epi32(rows[2], rows[3]);
        words[0] = _mm256_unpacklo_epi64(dealt[0], dealt[2]);
        words[1] = _mm256_unpackhi_epi64(dealt[0], dealt[2]);
        words[2] = _mm256_unpacklo_epi64(dealt[1], dealt[3]);
        words[3] = _mm256_unpackhi_epi64(dealt[1], dealt[3]);
        const __m256i low = _mm256_set1_epi8(15);
#pragma GCC unroll 4
        for (int i = 0; i < 4; ++i) {
            out[i * step] = _mm256_and_si256(words[i], low);
            out[(i + 4) * step] = _mm256_and_si256(_mm256_srli_epi16(words[i], 4), low);
        }
    }

    static inline __attribute__((always_inline)) int half(const std::byte *p) {
        uint16_t bits;
        memcpy(&bits, p, sizeof bits);
        return bits;
    }
    static inline __attribute__((always_inline)) L::F scales(const std::byte *block, size_t stride) {
        __m128i bits = _mm_cvtsi32_si128(half(block));
        bits = _mm_insert_epi16(bits, half(block + stride), 1);
        bits = _mm_insert_epi16(bits, half(block + 2 * stride), 2);
        bits = _mm_insert_epi16(bits, half(block + 3 * stride), 3);
        bits = _mm_insert_epi16(bits, half(block + 4 * stride), 4);
        bits = _mm_insert_epi16(bits, half(block + 5 * stride), 5);
        bits = _mm_insert_epi16(bits, half(block + 6 * stride), 6);
        bits = _mm_insert_epi16(bits, half(block + 7 * stride), 7);
        return (L::F)_mm256_cvtph_ps(bits);
    }

    // A lane has 16 products of at most 15 * 127, which fit 16 bits.
    using Sum = __m256i;
    static inline __attribute__((always_inline)) __m256i word(const int8_t *four) {
        int32_t bits;
        memcpy(&bits, four, sizeof bits);
        return _mm256_set1_epi32(bits);
    }
    static inline __attribute__((always_inline)) Sum first(Bytes w, Bytes x) { return _mm256_maddubs_epi16(w, x); }
    static inline __attribute__((always_inline)) Sum add(Sum sum, Bytes w, Bytes x) {
        sum = _mm256_add_epi16(sum, _mm256_maddubs_epi16(w, x));
        asm("" : "+x"(sum)); // in this order: compilers would add all up in the end, and run out of registers
        return sum;
    }
    static inline __attribute__((always_inline)) L::F whole(Sum sum, int32_t offset) {
        __m256i all = _mm256_madd_epi16(sum, _mm256_set1_epi16(1));
        return (L::F)_mm256_cvtepi32_ps(_mm256_sub_epi32(all, _mm256_set1_epi32(offset)));
    }
};

// F16C, which not every compiler can ask for, is older than AVX2.
bool runs() { return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"); }

} // namespace

extern const Int4Kernel int4_avx2 = {"avx2-q4_0", runs, Avx2::lanes, Int4Tile<Avx2>::multiply};

} // namespace kimicode
