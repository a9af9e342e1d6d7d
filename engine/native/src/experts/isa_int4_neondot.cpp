// Q4_0 products on aarch64 with dot products (ARMv8.2 and later): one instruction multiplies 16 and adds them up.

#include "int4_tile.hpp"
#include "int4_unpack.hpp"

#include <arm_neon.h>

#if defined(__linux__)
#include <sys/auxv.h>
#endif

namespace kimicode {
namespace {

struct NeonDot : Int4Unpack<4> {
    static constexpr int lanes = 4;
    using L = Lanes<lanes>;
    using Bytes = L::I;
    using Sum = L::I;

    static inline __attribute__((always_inline)) void unpack(const std::byte *block, size_t stride, Bytes *out, int step) {
        values(block, stride, out, step);
    }
    static inline __attribute__((always_inline)) L::F scales(const std::byte *block, size_t stride) {
        return (L::F)vcvt_f32_f16(vreinterpret_f16_u16(halves<uint16x4_t>(block, stride)));
    }
    static inline __attribute__((always_inline)) Sum first(Bytes w, Bytes x) { return add(Sum{}, w, x); }
    static inline __attribute__((always_inline)) Sum add(Sum sum, Bytes w, Bytes x) {
        return (Sum)vdotq_s32((int32x4_t)sum, vreinterpretq_s8_s32((int32x4_t)w), vreinterpretq_s8_s32((int32x4_t)x));
    }
    static inline __attribute__((always_inline)) L::F whole(Sum sum, int32_t offset) {
        return __builtin_convertvector(sum - L::splat(offset), L::F);
    }
};

bool runs() {
#if defined(__linux__)
    return getauxval(AT_HWCAP) >> 20 & 1; // ASIMDDP in the kernel's list of features
#elif defined(__APPLE__)
    return true; // all of Apple's own have it
#else
    return false;
#endif
}

} // namespace

extern const Int4Kernel int4_neondot = {"neondot-q4_0", runs, Int4Tile<NeonDot>::ROWS, Int4Tile<NeonDot>::multiply};

} // namespace kimicode
