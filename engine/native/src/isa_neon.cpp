// aarch64: every processor has NEON.
//
// Exact only: an instruction multiplies no more pairs of 16-bit integers than floats, and bfloat16, twice as fast, misses the fast kernels'
// limit of 0.6 % (an error of 0.5 % for all heads of a query together, and up to 1.4 % for one).

#include "arithmetic.hpp"
#include "kernel.hpp"
#include "tile.hpp"

#include <arm_neon.h>

namespace kimicode {
namespace {

struct Neon {
    static constexpr int lanes = 4;
    // 32 registers: 24 sums, four vectors of rows (or columns), one word for all lanes.
    static constexpr int row_vectors = 4, key_rows = 6, column_vectors = 4, sum_rows = 6;
    static constexpr int exact_keys = 60;
    using L = Lanes<lanes>;

    static inline __attribute__((always_inline)) L::F half(const uint16_t *p) {
        return (L::F)vcvt_f32_f16(vreinterpret_f16_u16(vld1_u16(p)));
    }
};

struct NeonExact : Exact<Neon> {
    // `b` is always one word for all lanes. Taken from the register's first, it need not be copied to the others, which would cost a fifth
    // of the time.
    static inline __attribute__((always_inline)) void multiply_add(F &sum, I a, I b) {
        asm("fmla %0.4s, %1.4s, %2.s[0]" : "+w"(sum) : "w"(a), "w"(((F)b)[0]));
    }
};

bool runs() { return true; }

} // namespace

extern const Kernel neon_exact = kernel_of<NeonExact>("neon-exact", true, runs);

} // namespace kimicode
