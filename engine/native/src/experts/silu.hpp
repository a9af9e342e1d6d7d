// silu(gate) * up, for rows of f32.

#pragma once

#include "../vector.hpp"

namespace kimicode {

// out may be gate or up. `count` is a multiple of 4.
inline void silu_times(const float *gate, const float *up, int count, float *out) {
    using L = Lanes<4>;
    for (int i = 0; i < count; i += 4) {
        L::F g = L::load(gate + i);
        L::F e = L::exp2(L::abs(g) * -1.44269504f);
        // 1 / (1 + exp(-g)) without ever raising e to a positive power.
        L::F share = (g < L::F{} ? e : L::splat(1.0f)) / (1.0f + e);
        L::store(out + i, g * share * L::load(up + i));
    }
}

} // namespace kimicode
