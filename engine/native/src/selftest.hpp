// A small attention whose result is known, for a kernel that is about to be trusted.

#pragma once

#include "attention.hpp"

namespace kimicode {

constexpr double LARGEST_ERROR = 1e-3;

// The relative error of `kernel` on it, in the Euclidean norm.
double self_test(const Kernel &kernel);

} // namespace kimicode
