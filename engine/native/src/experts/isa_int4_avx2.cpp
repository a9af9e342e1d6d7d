// Q4_0 products on x86-64 with AVX2: 32 of them an instruction, and two more to add them up.

#include "int4_tile.hpp"
#include "int4_unpack.hpp"

#include <immintrin.h>

namespace kimicode {
namespace {

struct Avx2 : Int4Unpack<8> {
    static constexpr int lanes = 8;
    using L = Lanes<lanes>;
    using Bytes = L::I;
    using Sum = __m256i; // pairs of 16 bits: each has 16 products of at most 15 * 127, which fit
    typedef uint16_t Halves __attribute__((vector_size(16)));

    static inline __attribute__((always_inline)) void unpack(const std::byte *block, size_t stride, Bytes *out, int step) {
        values<Avx2>(block, stride, out, step);
    }
    // As one instruction, which g++ doesn't find.
    static inline __attribute__((always_inline)) Bytes join(const std::byte *p, size_t step) {
        auto at = [](const std::byte *row) { return _mm_loadu_si128(reinterpret_cast<const __m128i *>(row)); };
        return (Bytes)_mm256_inserti128_si256(_mm256_castsi128_si256(at(p)), at(p + step), 1);
    }
    static inline __attribute__((always_inline)) L::F scales(const std::byte *block, size_t stride) {
        return (L::F)_mm256_cvtph_ps((__m128i)halves<Halves>(block, stride));
    }
    static inline __attribute__((always_inline)) Sum first(Bytes w, Bytes x) { return _mm256_maddubs_epi16((__m256i)w, (__m256i)x); }
    static inline __attribute__((always_inline)) Sum add(Sum sum, Bytes w, Bytes x) {
        sum = _mm256_add_epi16(sum, first(w, x));
        asm("" : "+x"(sum)); // in this order: compilers would add all up in the end, and run out of registers
        return sum;
    }
    static inline __attribute__((always_inline)) L::F whole(Sum sum, int32_t offset) {
        L::I all = (L::I)_mm256_madd_epi16(sum, _mm256_set1_epi16(1)) - L::splat(offset);
        return __builtin_convertvector(all, L::F);
    }
};

// F16C, which not every compiler can ask for, is older than AVX2.
bool runs() { return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"); }

} // namespace

extern const Int4Kernel int4_avx2 = {"avx2-q4_0", runs, Int4Tile<Avx2>::ROWS, Int4Tile<Avx2>::multiply};

} // namespace kimicode
