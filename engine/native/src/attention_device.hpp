// The device "MLA": a ggml backend that computes one operation, latent attention, in host memory.
//
// llama.cpp puts accelerators before its CPU backend, and asks them of each operation; what this one does not take stays where it was. It
// holds no buffers. Without a kernel it takes nothing.

#pragma once

#include "attention.hpp"
#include "ggml_abi.hpp"

namespace kimicode {

// The kernel that it uses from now on; null: none.
void          choose_attention(const Kernel *);
const Kernel *chosen_attention();

ggml::Device *attention_device(ggml::Registry *);

} // namespace kimicode
