// llama.cpp's operations on routed experts, as what `layer.hpp` computes.
//
// A layer is MUL_MAT_ID(gate, x, ids) and MUL_MAT_ID(up, x, ids), or one of both matrices together, GLU of the two, and MUL_MAT_ID(down, GLU,
// ids). Where all of them are in one graph, they are computed as one, and only the last one's result is written: nothing else reads the
// others in this architecture. An evaluation callback that wants one of the others ends the graph there; then each is computed alone.

#pragma once

#include "../ggml_abi.hpp"
#include "layer.hpp"

#include <vector>

namespace kimicode {

// What the name of a tensor says, as in "blk.7.ffn_down_exps.weight". `part` is that of the store; `both`: gate, and up behind it.
struct ExpertTensor {
    int  layer, part;
    bool both;
};
bool expert_tensor(const char *name, ExpertTensor &);

// Whether this is a product with the experts of `store`, of types and shapes that can be computed. Looks at shapes and names only.
bool is_expert_product(const ggml::Tensor &op, const Store &store);

// Whether this is the SwiGLU of two such products.
bool is_expert_glu(const ggml::Tensor &op, const Store &store);

ExpertProduct expert_product(const ggml::Tensor &op);

// One computation of a graph: a whole layer, one product, or one SwiGLU.
struct ExpertStep {
    const ggml::Tensor *product = nullptr; // down, of a layer
    const ggml::Tensor *gate = nullptr, *up = nullptr, *glu = nullptr;
};
std::vector<ExpertStep> steps_of(const std::vector<const ggml::Tensor *> &nodes);

ExpertLayer expert_layer(const ExpertStep &);

void compute_glu(const ggml::Tensor &op, Team &);

} // namespace kimicode
