// A cache without contents, to measure policies with.

#pragma once

#include "policy.hpp"

#include <cstdint>
#include <span>

namespace kimicode {

// How many uses of `trace`, computations of `used` experts each, would have found their expert among `places`.
int64_t simulate(Policy &, int experts, int places, std::span<const int> trace, int used);

} // namespace kimicode
