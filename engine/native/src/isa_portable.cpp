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

    static inline L::F half(const uint16_t *p) { return L::F{half_to_float(p[0]), half_to_float(p[1]), half_to_float(p[2]), half_to_float(p[3])}; }
};

bool runs() { return true; }

} // namespace

extern const Kernel portable_exact = kernel_of<Exact<Portable>>("portable-exact", true, runs);

} // namespace kimicode
