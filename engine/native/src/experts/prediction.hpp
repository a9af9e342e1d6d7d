// Which experts the next layer will probably select: its router, applied to what this layer's experts get.
//
// Between two layers the hidden state changes by what attention and experts add, so the next router's best few choices can be seen one
// layer early, often enough to read them from the disk meanwhile. Routers are found in the graphs that llama.cpp's scheduler shows.
// Published for other models: nine of ten for the first choice, one in four for the last. What this does not do: change results.

#pragma once

#include "../ggml_abi.hpp"
#include "layer.hpp"

namespace kimicode {

// The scheduler asks about an operation: if it is a router's, remember its weights.
void saw_router(const ggml::Tensor &op);

// Announce to the store what the layer behind this one will want.
void look_ahead(const ExpertLayer &, Store &, Team &);

// Whether to: on from the start. Announcing stops by itself where too few of the announced are used.
void predict(bool on);

} // namespace kimicode
