// Q4_0 products on x86-64 with AVX-VNNI: AVX2's registers, and one instruction that multiplies 32 and adds them up.

#include "int4_tile.hpp"
#include "int4_unpack.hpp"

#include <cpuid.h>
#include <immintrin.h>

namespace kimicode {
namespace {

struct AvxVnni : Int4Unpack<8> {
    static constexpr int lanes = 8;
    using L = Lanes<lanes>;
    using Bytes = L::I;
    using Sum = L::I;
    typedef uint16_t Halves __attribute__((vector_size(16)));

    static inline __attribute__((always_inline)) void unpack(const std::byte *block, size_t stride, Bytes *out, int step) {
        values(block, stride, out, step);
    }
    static inline __attribute__((always_inline)) L::F scales(const std::byte *block, size_t stride) {
        return (L::F)_mm256_cvtph_ps((__m128i)halves<Halves>(block, stride));
    }
    static inline __attribute__((always_inline)) Sum first(Bytes w, Bytes x) { return add(Sum{}, w, x); }
    static inline __attribute__((always_inline)) Sum add(Sum sum, Bytes w, Bytes x) {
        return (Sum)_mm256_dpbusd_avx_epi32((__m256i)sum, (__m256i)w, (__m256i)x);
    }
    static inline __attribute__((always_inline)) L::F whole(Sum sum, int32_t offset) {
        return __builtin_convertvector(sum - L::splat(offset), L::F);
    }
};

// Compilers have no name for it that all of them know. Intel's manual: leaf 7, subleaf 1, EAX bit 4.
bool has_avx_vnni() {
    unsigned a, b, c, d;
    return __get_cpuid_count(7, 1, &a, &b, &c, &d) && (a >> 4 & 1);
}

bool runs() { return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && has_avx_vnni(); }

} // namespace

extern const Int4Kernel int4_avxvnni = {"avxvnni-q4_0", runs, Int4Tile<AvxVnni>::ROWS, Int4Tile<AvxVnni>::multiply};

} // namespace kimicode
