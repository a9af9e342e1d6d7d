// What queries see of the cells, tile by tile: read off the mask before any work is divided.
//
// Reading a mask costs two bytes a query and cell, where attention costs two products a head and value: well under a hundredth. What this
// does not do: decide anything (division.hpp).

#pragma once

#include "attention.hpp"
#include "team.hpp"

#include <cstdint>
#include <vector>

namespace kimicode {

constexpr uint16_t HIDDEN = 0xfc00; // minus infinity in half precision

// How many cells of a tile a query sees, and how many there are up to the last of those.
struct Glimpse {
    uint16_t count, end;
};

struct Sight {
    int                  queries, keys;
    int                  unit; // cells that work is best divided in
    int                  tile; // cells that were looked at together: one unit, or several where there are more than anybody needs
    std::vector<Glimpse> glimpses; // [query][tile]

    int            tiles() const { return (keys + tile - 1) / tile; }
    int            width(int t) const { return t * tile + tile <= keys ? tile : keys - t * tile; }
    const Glimpse *of(int query) const { return glimpses.data() + (size_t)query * tiles(); }
};

inline const uint16_t *mask_row(const Attention &a, int query) {
    return reinterpret_cast<const uint16_t *>(a.mask + (size_t)query * a.mask_query);
}

// Mask values that one thread reads about as fast as others wake.
constexpr long READ_ALONE = 1 << 18;

// For a kernel with tiles of `tile` cells, and so many threads: units are smaller where there would be too few for every thread. Raises
// std::bad_alloc.
Sight look(const Attention &, int tile, int threads, Team &);

} // namespace kimicode
