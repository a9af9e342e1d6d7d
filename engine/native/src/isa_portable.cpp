// Any processor: what the compiler makes of the plain source. Exact only.

#include "arithmetic.hpp"
#include "kernel.hpp"
#include "tile.hpp"

namespace kimicode {
namespace {

struct Portable {
    static constexpr int lanes = 4;
    static constexpr int row_vectors = 2, key_rows = 4, column_vectors = 2, sum_rows = 4;
    static constexpr int exact_keys = 64;
    using L = Lanes<lanes>;

    typedef uint16_t Halves __attribute__((vector_size(8)));

    static inline __attribute__((always_inline)) L::F half(const uint16_t *p) {
        Halves bits;
        memcpy(&bits, p, sizeof bits);
        L::I all = __builtin_convertvector(bits, L::I), rest = (all & 0x7fff) << 13, least = L::splat(0x38800000); // 2^-14
        L::F usual = (L::F)(rest + 0x38000000 + ((rest >= 0x0f800000) & 0x38000000)); // infinities: the greatest exponent again
        L::F small = (L::F)(rest + 0x38800000) - (L::F)least;
        return (L::F)((L::I)(rest < 0x00800000 ? small : usual) | (all & 0x8000) << 16);
    }
};

bool runs() { return true; }

} // namespace

extern const Kernel portable_exact = kernel_of<Exact<Portable>>("portable-exact", true, runs);

} // namespace kimicode
