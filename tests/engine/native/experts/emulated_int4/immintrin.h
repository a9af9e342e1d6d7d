// What the kernels of weights use beyond those of attention, for processors that have no VNNI: see ../../emulated/immintrin.h.

#pragma once

#include "../../emulated/immintrin.h"

namespace {

// Each word and the sum of its four products of an unsigned and a signed byte.
template <class I> inline I emulated_fours(I sum, I a, I b) {
    for (unsigned i = 0; i < sizeof(I) / 4; ++i)
        for (int shift = 0; shift < 32; shift += 8) sum[i] += (a[i] >> shift & 255) * (int8_t)(b[i] >> shift);
    return sum;
}

inline __m256i _mm256_dpbusd_avx_epi32(__m256i sum, __m256i a, __m256i b) { return emulated_fours(sum, a, b); }
inline __m512i _mm512_dpbusd_epi32(__m512i sum, __m512i a, __m512i b) { return emulated_fours(sum, a, b); }

} // namespace
