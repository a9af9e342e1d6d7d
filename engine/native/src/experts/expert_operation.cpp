#include "expert_operation.hpp"

#include "silu.hpp"

#include <algorithm>
#include <climits>
#include <cstdio>
#include <cstring>

namespace kimicode {
namespace {

const ggml::Tensor *root(const ggml::Tensor *t) { return t->view_src ? t->view_src : t; }

const std::byte *bytes(const ggml::Tensor &t) { return static_cast<const std::byte *>(t.data); }

bool rows_of_f32(const ggml::Tensor &t) { return t.type == ggml::TYPE_F32 && t.nb[0] == sizeof(float) && t.ne[3] == 1; }

bool is_product(const ggml::Tensor *t) { return t && t->op == ggml::OP_MUL_MAT_ID; }

bool is_swiglu(const ggml::Tensor &op) {
    return op.op == ggml::OP_GLU && op.op_params[0] == ggml::GLU_SWIGLU && op.op_params[1] == 0 && op.src[0] && op.src[1];
}

ExpertTensor tensor_of(const ggml::Tensor &product) {
    ExpertTensor t{};
    expert_tensor(product.src[0]->name, t);
    return t;
}

// The product whose SwiGLU needs nothing else: gate's and up's, which may be one.
bool halves(const ggml::Tensor &glu, const ggml::Tensor *&gate, const ggml::Tensor *&up) {
    gate = root(glu.src[0]);
    up = root(glu.src[1]);
    if (!is_product(gate) || !is_product(up)) return false;
    ExpertTensor g = tensor_of(*gate), u = tensor_of(*up);
    if (gate == up) return g.both && glu.src[0]->view_offs == 0 && glu.src[1]->view_offs == glu.ne[0] * sizeof(float);
    bool whole = glu.src[0] == gate && glu.src[1] == up;
    return whole && !g.both && !u.both && g.part == 0 && u.part == 1 && g.layer == u.layer && gate->src[1] == up->src[1] &&
           gate->src[2] == up->src[2];
}

bool one_layer(const ggml::Tensor &down, ExpertStep &step) {
    const ggml::Tensor *glu = down.src[1];
    if (!is_swiglu(*glu) || !halves(*glu, step.gate, step.up)) return false;
    step.product = &down;
    step.glu = glu;
    ExpertTensor d = tensor_of(down), g = tensor_of(*step.gate);
    return d.part == 2 && d.layer == g.layer && down.src[2] == step.gate->src[2] && step.gate->src[1]->ne[1] == 1;
}

} // namespace

bool expert_tensor(const char *name, ExpertTensor &t) {
    char kind[16];
    int  end = 0;
    if (sscanf(name, "blk.%d.ffn_%15[a-z_].weight%n", &t.layer, kind, &end) != 2 || !end || name[end] || t.layer < 0) return false;
    static const struct {
        const char *name;
        int         part;
        bool        both;
    } known[] = {{"gate_exps", 0, false}, {"up_exps", 1, false}, {"down_exps", 2, false}, {"gate_up_exps", 0, true}};
    for (auto &k : known)
        if (strcmp(kind, k.name) == 0) {
            t.part = k.part;
            t.both = k.both;
            return true;
        }
    return false;
}

bool is_expert_product(const ggml::Tensor &op, const Store &store) {
    if (!is_product(&op) || !op.src[0] || !op.src[1] || !op.src[2]) return false;
    const ggml::Tensor &w = *op.src[0], &x = *op.src[1], &ids = *op.src[2];
    ExpertTensor        t;
    if (!expert_tensor(w.name, t) || t.layer >= store.layers() || w.ne[2] != store.experts() || w.ne[3] != 1) return false;
    const Weights *weights = weights_of(w.type);
    if (!weights || w.ne[0] > INT_MAX || !weights->takes((int)w.ne[0])) return false;
    // Each expert's rows lie one behind the other, as in the file.
    if (w.nb[1] != weights->row_bytes((int)w.ne[0]) || w.nb[2] != w.nb[1] * (size_t)w.ne[1]) return false;
    return rows_of_f32(x) && rows_of_f32(op) && x.ne[0] == w.ne[0] && (x.ne[1] == 1 || x.ne[1] == ids.ne[0]) && x.ne[2] == ids.ne[1] &&
           ids.type == ggml::TYPE_I32 && ids.nb[0] == sizeof(int32_t) && ids.ne[2] == 1 && ids.ne[1] * ids.ne[0] <= INT_MAX;
}

bool is_expert_glu(const ggml::Tensor &op, const Store &store) {
    const ggml::Tensor *gate, *up;
    return is_swiglu(op) && rows_of_f32(op) && op.ne[0] % 4 == 0 && halves(op, gate, up) && is_expert_product(*gate, store) &&
           is_expert_product(*up, store);
}

ExpertProduct expert_product(const ggml::Tensor &op) {
    const ggml::Tensor &w = *op.src[0], &x = *op.src[1], &ids = *op.src[2];
    ExpertTensor        t = tensor_of(op);
    return {bytes(x), x.nb[2], x.ne[1] == 1 ? 0 : x.nb[1], bytes(ids), ids.nb[1], static_cast<std::byte *>(op.data), op.nb[2], op.nb[1],
            (int)ids.ne[1], (int)ids.ne[0], (int)w.ne[2], (int)w.ne[0], (int)w.ne[1], weights_of(w.type), t.layer, t.part};
}

std::vector<ExpertStep> steps_of(const std::vector<const ggml::Tensor *> &nodes) {
    std::vector<ExpertStep>           steps;
    std::vector<const ggml::Tensor *> part_of_layer;
    for (const ggml::Tensor *node : nodes) {
        ExpertStep step;
        auto       here = [&](const ggml::Tensor *t) { return std::find(nodes.begin(), nodes.end(), t) != nodes.end(); };
        if (!is_product(node) || !one_layer(*node, step) || !here(step.glu) || !here(step.gate) || !here(step.up)) continue;
        part_of_layer.insert(part_of_layer.end(), {step.gate, step.up, step.glu, node});
        steps.push_back(step);
    }
    std::vector<ExpertStep> all;
    for (const ggml::Tensor *node : nodes) {
        auto layer = std::find_if(steps.begin(), steps.end(), [&](const ExpertStep &s) { return s.product == node; });
        if (layer != steps.end())
            all.push_back(*layer);
        else if (std::find(part_of_layer.begin(), part_of_layer.end(), node) != part_of_layer.end())
            continue;
        else if (is_product(node))
            all.push_back({node});
        else if (node->op == ggml::OP_GLU)
            all.push_back({nullptr, nullptr, nullptr, node});
    }
    return all;
}

ExpertLayer expert_layer(const ExpertStep &s) {
    const ggml::Tensor &x = *s.gate->src[1], &ids = *s.gate->src[2], &down = *s.product, &w = *s.gate->src[0];
    return {bytes(x),     x.nb[2],       bytes(ids),          ids.nb[1],         static_cast<std::byte *>(down.data),
            down.nb[2],   down.nb[1],    (int)ids.ne[1],      (int)ids.ne[0],    (int)w.ne[2],
            (int)x.ne[0], (int)s.glu->ne[0], weights_of(w.type), weights_of(s.up->src[0]->type), weights_of(down.src[0]->type),
            tensor_of(down).layer};
}

void compute_glu(const ggml::Tensor &op, Team &team) {
    const ggml::Tensor &gate = *op.src[0], &up = *op.src[1];
    int                 rows = (int)(op.ne[1] * op.ne[2]);
    team.run([&](int member) {
        for (int row = member; row < rows; row += team.threads()) {
            size_t i = row % op.ne[1], j = row / op.ne[1];
            auto   at = [&](const ggml::Tensor &t) { return reinterpret_cast<const float *>(bytes(t) + i * t.nb[1] + j * t.nb[2]); };
            silu_times(at(gate), at(up), (int)op.ne[0], const_cast<float *>(at(op)));
        }
    });
}

} // namespace kimicode
