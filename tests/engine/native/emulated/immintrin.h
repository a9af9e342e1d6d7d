// What the kernels for AVX-512 and AVX-VNNI use of the compiler's header of this name, in plain C++ after Intel's descriptions, for
// processors that have neither. In its place when this folder is searched first; the processor is then said to have everything.
//
// What this header does not do: saturate, mask, or take numbers that a conversion can't hold; the kernels need none of it.

#pragma once

#include <cmath>
#include <cstdint>

typedef int32_t __m128i __attribute__((vector_size(16)));
typedef int32_t __m256i __attribute__((vector_size(32)));
typedef float   __m256 __attribute__((vector_size(32)));
typedef int32_t __m512i __attribute__((vector_size(64)));
typedef float   __m512 __attribute__((vector_size(64)));
typedef uint16_t __mmask16;

#define __builtin_cpu_supports(name) true

namespace {

inline float emulated_half(uint16_t bits) {
    int exponent = bits >> 10 & 31, fraction = bits & 1023;
    float size = exponent == 31  ? (fraction ? NAN : INFINITY)
                 : exponent == 0 ? std::ldexp((float)fraction, -24)
                                 : std::ldexp((float)(fraction + 1024), exponent - 25);
    return bits & 0x8000 ? -size : size;
}
template <class F, class I> inline F emulated_halves(I bits) {
    uint16_t halves[sizeof(I) / 2];
    __builtin_memcpy(halves, &bits, sizeof bits);
    F out;
    for (unsigned i = 0; i < sizeof(I) / 2; ++i) out[i] = emulated_half(halves[i]);
    return out;
}
template <class I, class F> inline I emulated_whole(F x) {
    I out;
    for (unsigned i = 0; i < sizeof(I) / 4; ++i) out[i] = (int32_t)std::nearbyint(x[i]);
    return out;
}
// The sum of each word's two products of 16 bits.
template <class I> inline I emulated_pairs(I a, I b) { return (a << 16 >> 16) * (b << 16 >> 16) + (a >> 16) * (b >> 16); }

inline __m512 _mm512_maskz_cvtph_ps(__mmask16, __m256i bits) { return emulated_halves<__m512>(bits); }
inline __m512i _mm512_maskz_cvtps_epi32(__mmask16, __m512 x) { return emulated_whole<__m512i>(x); }
inline __m512i _mm512_madd_epi16(__m512i a, __m512i b) { return emulated_pairs(a, b); }
inline __m512i _mm512_dpwssd_epi32(__m512i sum, __m512i a, __m512i b) { return sum + emulated_pairs(a, b); }
inline __m256 _mm256_cvtph_ps(__m128i bits) { return emulated_halves<__m256>(bits); }
inline __m256i _mm256_cvtps_epi32(__m256 x) { return emulated_whole<__m256i>(x); }
inline __m256i _mm256_dpwssd_avx_epi32(__m256i sum, __m256i a, __m256i b) { return sum + emulated_pairs(a, b); }

} // namespace
