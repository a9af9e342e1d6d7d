// The device "EXP": a ggml backend that computes products with routed experts, whose weights it takes without holding them.
//
// Its buffers are address space: what llama.cpp writes into them, while a model is loaded, is never read. The bytes come from the open
// store. Without one this device takes nothing, and llama.cpp keeps experts as it always does.

#pragma once

#include "../ggml_abi.hpp"

namespace kimicode {

ggml::Device *expert_device(ggml::Registry *);

} // namespace kimicode
