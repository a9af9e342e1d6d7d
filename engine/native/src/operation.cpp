#include "operation.hpp"

#include <climits>
#include <cstring>

namespace kimicode {
namespace {

float parameter(const ggml::Tensor &op, int index) {
    float value;
    memcpy(&value, &op.op_params[index], sizeof value);
    return value;
}

const ggml::Tensor *root(const ggml::Tensor &t) { return t.view_src ? t.view_src : &t; }

// The values are the first columns of the keys' own memory.
bool values_are_keys(const ggml::Tensor &k, const ggml::Tensor &v) {
    return root(k) == root(v) && k.view_offs == v.view_offs && k.type == v.type && v.ne[0] <= k.ne[0] && k.ne[1] == v.ne[1] &&
           k.nb[1] == v.nb[1] && k.ne[3] == v.ne[3] && k.nb[3] == v.nb[3];
}

Attention shape_of(const ggml::Tensor &op) {
    const ggml::Tensor &q = *op.src[0], &k = *op.src[1];
    Attention a{};
    a.q_query = q.nb[1];
    a.q_head = q.nb[2];
    a.cell_stride = k.nb[1];
    a.cell = static_cast<Cell>(k.type);
    a.mask_query = op.src[3] ? op.src[3]->nb[1] : 0;
    a.queries = (int)q.ne[1];
    a.keys = (int)k.ne[1];
    a.heads = (int)q.ne[2];
    a.width = (int)q.ne[0];
    a.latent = (int)op.src[2]->ne[0];
    a.scale = parameter(op, 0);
    return a;
}

} // namespace

bool is_latent_attention(const ggml::Tensor &op) {
    if (op.op != ggml::OP_FLASH_ATTN_EXT || !op.src[0] || !op.src[1] || !op.src[2]) return false;
    const ggml::Tensor &q = *op.src[0], &k = *op.src[1], &v = *op.src[2];
    const ggml::Tensor *mask = op.src[3];
    if (op.src[4] || parameter(op, 1) != 0 || parameter(op, 2) != 0) return false; // sinks, position bias, capped scores
    if (q.type != ggml::TYPE_F32 || q.nb[0] != 4 || q.ne[0] != k.ne[0] || q.ne[1] > INT_MAX || k.ne[1] > INT_MAX) return false;
    if (k.ne[2] != 1 || v.ne[2] != 1 || k.ne[3] != q.ne[3] || !values_are_keys(k, v)) return false;
    if (mask && (mask->type != ggml::TYPE_F16 || mask->nb[0] != 2 || mask->ne[0] != k.ne[1] || mask->ne[1] < q.ne[1] ||
                 mask->ne[2] != 1 || (mask->ne[3] != 1 && mask->ne[3] != q.ne[3])))
        return false;
    if (op.type != ggml::TYPE_F32 || op.nb[0] != 4 || op.nb[1] != (size_t)v.ne[0] * 4 || op.nb[2] != op.nb[1] * (size_t)q.ne[2]) return false;
    return possible(shape_of(op));
}

int streams(const ggml::Tensor &op) { return (int)op.src[0]->ne[3]; }

Attention attention_of(const ggml::Tensor &op, int stream) {
    const ggml::Tensor &q = *op.src[0], &k = *op.src[1], *mask = op.src[3];
    Attention a = shape_of(op);
    a.q = static_cast<const std::byte *>(q.data) + stream * q.nb[3];
    a.cells = static_cast<const std::byte *>(k.data) + stream * k.nb[3];
    a.mask = mask ? static_cast<const std::byte *>(mask->data) + (mask->ne[3] == 1 ? 0 : stream * mask->nb[3]) : nullptr;
    a.out = reinterpret_cast<float *>(static_cast<std::byte *>(op.data) + stream * op.nb[3]);
    return a;
}

} // namespace kimicode
