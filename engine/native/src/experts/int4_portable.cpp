// Q4_0 products on any processor: what the compiler makes of the plain source.

#include "../vector.hpp"
#include "int4.hpp"

namespace kimicode {
namespace {

// Σ (w - 8) x of one block.
int32_t products(const uint8_t *halves, const Activations &x) {
    int32_t low = 0, high = 0;
    for (int i = 0; i < GROUP / 2; ++i) {
        low += (halves[i] & 15) * x.values[i];
        high += (halves[i] >> 4) * x.values[i + GROUP / 2];
    }
    return low + high - x.offset;
}

float row_product(const std::byte *row, const Activations *x, int groups) {
    float sum = 0;
    for (int g = 0; g < groups; ++g, row += INT4_BLOCK) {
        uint16_t scale;
        memcpy(&scale, row, sizeof scale);
        sum += (float)products(reinterpret_cast<const uint8_t *>(row + sizeof scale), x[g]) * (half_to_float(scale) * x[g].scale);
    }
    return sum;
}

void multiply(const Product &p) {
    int    groups = p.width / GROUP;
    size_t row_bytes = groups * INT4_BLOCK;
    for (int i = p.first; i < p.last; ++i)
        for (int r = 0; r < p.count; ++r)
            p.out[r][i] = row_product(p.weights + i * row_bytes, reinterpret_cast<const Activations *>(p.rows[r]), groups);
}

bool runs() { return true; }

} // namespace

extern const Int4Kernel int4_portable = {"portable-q4_0", runs, 1, multiply};

} // namespace kimicode
