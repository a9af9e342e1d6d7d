#include "basis.hpp"

#include <cstring>

namespace kimicode {

void rows_of(const Factor &f, int head, bool columns, const Rows &out, float *line) {
    const std::byte *source = f.data + (size_t)head * f.head;
    for (int row = 0; row < f.rows; ++row, source += f.row) {
        float *target = columns ? line : out[row];
        if (f.to_float) {
            f.to_float(source, target, f.width);
        } else {
            memcpy(target, source, (size_t)f.width * sizeof *target);
        }
        if (columns)
            for (int i = 0; i < f.width; ++i) out[i][row] = line[i];
    }
}

} // namespace kimicode
