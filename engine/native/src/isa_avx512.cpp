// x86-64 with AVX-512 (F, BW, DQ, VL): Intel's servers since 2017, AMD since Zen 4.
//
// Pairs take two instructions here. They are twice the exact kernel's rate where only one unit multiplies floats of 512 bits (the smaller
// Skylake servers), and no more than its rate where there are two.

#include "arithmetic.hpp"
#include "avx512.hpp"
#include "kernel.hpp"
#include "tile.hpp"

namespace kimicode {
namespace {

struct Madd : Avx512 {
    static inline __attribute__((always_inline)) void pairs(L::I &sum, L::I a, L::I b) {
        sum += (L::I)_mm512_madd_epi16((__m512i)a, (__m512i)b);
    }
};

} // namespace

extern const Kernel avx512_exact = kernel_of<Exact<Madd>>("avx512-exact", true, has_avx512);
extern const Kernel avx512_pairs = kernel_of<Pairs<Madd>>("avx512-pairs", false, has_avx512);

} // namespace kimicode
