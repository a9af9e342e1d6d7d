// How an expert lies in its place: parts that lie next to each other in a file are one read and stay together. What this does not do: read.

#pragma once

#include "store.hpp"

namespace kimicode {

// What to read for an expert whose place begins at `place`, and where its parts are then; null for parts of no bytes.
struct Laid {
    std::vector<Read>                    reads;
    std::array<const std::byte *, PARTS> parts;
};
Laid lay(const ExpertRanges &, std::byte *place);

// Bytes of the place that it needs, a multiple of SECTOR; 0 where there is no such expert.
size_t laid_bytes(const ExpertRanges &);

} // namespace kimicode
