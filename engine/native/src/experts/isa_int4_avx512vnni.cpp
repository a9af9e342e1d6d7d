// Q4_0 products on x86-64 with AVX-512 and VNNI: one instruction multiplies 64 and adds them up.

#include "../avx512.hpp"
#include "int4_tile.hpp"
#include "int4_unpack.hpp"

namespace kimicode {
namespace {

struct Avx512Vnni : Int4Unpack<16> {
    static constexpr int lanes = 16;
    using L = Lanes<lanes>;
    using Bytes = L::I;
    using Sum = L::I;
    typedef uint16_t Halves __attribute__((vector_size(32)));

    static inline __attribute__((always_inline)) void unpack(const std::byte *block, size_t stride, Bytes *out, int step) {
        values(block, stride, out, step);
    }
    static inline __attribute__((always_inline)) L::F scales(const std::byte *block, size_t stride) {
        Halves all = halves<Halves>(block, stride);
        return Avx512::half(reinterpret_cast<const uint16_t *>(&all));
    }
    static inline __attribute__((always_inline)) Sum first(Bytes w, Bytes x) { return add(Sum{}, w, x); }
    static inline __attribute__((always_inline)) Sum add(Sum sum, Bytes w, Bytes x) {
        return (Sum)_mm512_dpbusd_epi32((__m512i)sum, (__m512i)w, (__m512i)x);
    }
    static inline __attribute__((always_inline)) L::F whole(Sum sum, int32_t offset) {
        return __builtin_convertvector(sum - L::splat(offset), L::F);
    }
};

bool runs() { return has_avx512() && __builtin_cpu_supports("avx512vnni"); }

} // namespace

extern const Int4Kernel int4_avx512vnni = {"avx512vnni-q4_0", runs, Int4Tile<Avx512Vnni>::ROWS, Int4Tile<Avx512Vnni>::multiply};

} // namespace kimicode
