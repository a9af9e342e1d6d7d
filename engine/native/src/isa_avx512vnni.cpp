// x86-64 with AVX-512 and VNNI: Intel's servers since Cascade Lake, AMD since Zen 4. One instruction multiplies and adds 32 pairs.
//
// There is no kernel for AVX-512's bfloat16: processors that have it have VNNI, whose instruction multiplies as many pairs, with 13 bits or
// more of each value in place of 8, which miss the fast kernels' limit.

#include "arithmetic.hpp"
#include "avx512.hpp"
#include "kernel.hpp"
#include "tile.hpp"

namespace kimicode {
namespace {

struct Vnni : Avx512 {
    static inline __attribute__((always_inline)) void pairs(L::I &sum, L::I a, L::I b) {
        sum = (L::I)_mm512_dpwssd_epi32((__m512i)sum, (__m512i)a, (__m512i)b);
    }
};

bool runs() { return has_avx512() && __builtin_cpu_supports("avx512vnni"); }

} // namespace

extern const Kernel avx512vnni_pairs = kernel_of<Pairs<Vnni>>("avx512vnni-pairs", false, runs);

} // namespace kimicode
