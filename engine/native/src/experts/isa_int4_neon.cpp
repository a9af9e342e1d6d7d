// Q4_0 products on aarch64 without instructions for whole dot products: eight at a time, each in a sum of its own.

#include "int4_tile.hpp"
#include "int4_unpack.hpp"

#include <arm_neon.h>

namespace kimicode {
namespace {

struct Neon : Int4Unpack<4> {
    static constexpr int lanes = 4;
    using L = Lanes<lanes>;
    using Bytes = L::I;
    struct Sum { // of two rows each: eight products of at most 15 * 127 fit 16 bits
        int16x8_t low, high;
    };

    static inline __attribute__((always_inline)) void unpack(const std::byte *block, size_t stride, Bytes *out, int step) {
        values(block, stride, out, step);
    }
    static inline __attribute__((always_inline)) L::F scales(const std::byte *block, size_t stride) {
        return (L::F)vcvt_f32_f16(vreinterpret_f16_u16(halves<uint16x4_t>(block, stride)));
    }
    static inline __attribute__((always_inline)) Sum first(Bytes w, Bytes x) {
        int8x16_t a = vreinterpretq_s8_s32((int32x4_t)w), b = vreinterpretq_s8_s32((int32x4_t)x);
        return {vmull_s8(vget_low_s8(a), vget_low_s8(b)), vmull_high_s8(a, b)};
    }
    static inline __attribute__((always_inline)) Sum add(Sum sum, Bytes w, Bytes x) {
        int8x16_t a = vreinterpretq_s8_s32((int32x4_t)w), b = vreinterpretq_s8_s32((int32x4_t)x);
        return {vmlal_s8(sum.low, vget_low_s8(a), vget_low_s8(b)), vmlal_high_s8(sum.high, a, b)};
    }
    static inline __attribute__((always_inline)) L::F whole(Sum sum, int32_t offset) {
        int32x4_t all = vpaddq_s32(vpaddlq_s16(sum.low), vpaddlq_s16(sum.high));
        return (L::F)vcvtq_f32_s32(vsubq_s32(all, vdupq_n_s32(offset)));
    }
};

bool runs() { return true; }

} // namespace

extern const Int4Kernel int4_neon = {"neon-q4_0", runs, Int4Tile<Neon>::ROWS, Int4Tile<Neon>::multiply};

} // namespace kimicode
