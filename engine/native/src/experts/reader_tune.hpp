// How fast files can be read, and with which pieces and depth that is.

#pragma once

#include "reader.hpp"

namespace kimicode {

struct ReadRate {
    size_t piece;
    int    depth;
    double bytes_per_second;
    bool   direct, uring;
};

// Read runs of 8 MiB, or whole files that are smaller, from random places for so many seconds. Raises std::runtime_error: what
// Reader::open raises, or a run that can't be read.
ReadRate read_rate(const ReaderOptions &, double seconds);

// The least bytes on the way that once came within 3 % of what is fastest in the median; it takes about so many seconds. Raises as
// `read_rate`.
ReadRate tune(const ReaderOptions &, double seconds);

} // namespace kimicode
