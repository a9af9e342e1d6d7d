#include "matrices.hpp"
#include "library.hpp"
#include "operation.hpp"

namespace kimicode {
namespace {

constexpr size_t MOST = 1 << 13; // attentions that are remembered; K2 has 61 a graph

const ggml::Tensor *root(const ggml::Tensor &t) { return t.view_src ? t.view_src : &t; }

// `t` is all of what it views, with its second and third dimensions exchanged: neither moved nor cut.
bool is_turned(const ggml::Tensor &t) {
    const ggml::Tensor &whole = *root(t);
    return t.view_offs == 0 && t.type == ggml::TYPE_F32 && t.type == whole.type && t.nb[0] == whole.nb[0] && t.nb[1] == whole.nb[2] &&
           t.nb[2] == whole.nb[1] && t.ne[0] == whole.ne[0] && t.ne[2] == whole.ne[1] && t.ne[1] * t.ne[3] == whole.ne[2] * whole.ne[3] &&
           (t.ne[3] == 1 || t.nb[3] == t.nb[1] * (size_t)t.ne[1]);
}

// A weight of [width, rows, heads] that stays where it is: anything else might be overwritten before attention is computed.
bool is_weight(const ggml::Tensor &t, int64_t width, int64_t rows, int64_t heads) {
    const Ggml &ggml = *loaded_ggml();
    void *buffer = root(t)->buffer;
    return t.op == ggml::OP_NONE && t.ne[0] == width && t.ne[1] == rows && t.ne[2] == heads && t.ne[3] == 1 && buffer && t.data &&
           ggml.buffer_is_host(buffer) && ggml.buffer_usage(buffer) == ggml::USAGE_WEIGHTS;
}

bool factor_of(const ggml::Tensor &t, Factor &out) {
    const ggml::TypeTraits &traits = *loaded_ggml()->type_traits(t.type);
    out = {static_cast<const std::byte *>(t.data), t.nb[1], t.nb[2], (int)t.ne[0], (int)t.ne[1], traits.to_float};
    return out.to_float || t.type == ggml::TYPE_F32;
}

// wk_b of the operation whose Q this is; null where Q was made otherwise.
const ggml::Tensor *keys_weight(const ggml::Tensor &q, int64_t latent) {
    const ggml::Tensor &joined = *root(q);
    if (joined.op != ggml::OP_CONCAT || joined.op_params[0] != 0 || !is_turned(q) || !joined.src[0] || !joined.src[1]) return nullptr;
    const ggml::Tensor &absorbed = *joined.src[0], &product = *root(absorbed);
    if (product.op != ggml::OP_MUL_MAT || !product.src[0] || !is_turned(absorbed)) return nullptr;
    if (absorbed.ne[0] != latent || joined.src[1]->ne[0] != q.ne[0] - latent) return nullptr;
    const ggml::Tensor &weight = *product.src[0];
    return is_weight(weight, weight.ne[0], latent, q.ne[2]) ? &weight : nullptr;
}

// wv_b; null where `reader` is no product of it with the whole result.
const ggml::Tensor *values_weight(const ggml::Tensor &attention, const ggml::Tensor &reader) {
    if (reader.op != ggml::OP_MUL_MAT || !reader.src[0] || !reader.src[1]) return nullptr;
    const ggml::Tensor &weight = *reader.src[0], &result = *reader.src[1];
    if (root(result) != &attention || !result.view_src || result.view_offs != 0 || result.type != ggml::TYPE_F32) return nullptr;
    for (int i = 0; i < ggml::DIMS; ++i) {
        int other = i == 1 ? 2 : i == 2 ? 1 : i;
        if (result.ne[i] != attention.ne[other] || result.nb[i] != attention.nb[other]) return nullptr;
    }
    return is_weight(weight, attention.ne[0], weight.ne[1], attention.ne[1]) ? &weight : nullptr;
}

} // namespace

void Readers::saw(const ggml::Tensor &op) {
    std::lock_guard held(lock_);
    if (is_latent_attention(op)) {
        if (seen_.size() >= MOST) seen_.clear();
        seen_[&op] = {};
        return;
    }
    if (seen_.empty()) return;
    for (const ggml::Tensor *source : op.src) {
        if (!source) continue;
        auto found = seen_.find(root(*source));
        if (found == seen_.end()) continue;
        Seen &seen = found->second;
        if (seen.first && seen.first != &op) seen.others = true;
        seen.first = &op;
    }
}

const ggml::Tensor *Readers::only_reader(const ggml::Tensor &attention) const {
    std::lock_guard held(lock_);
    auto found = seen_.find(&attention);
    return found == seen_.end() || found->second.others ? nullptr : found->second.first;
}

bool matrices_of(const ggml::Tensor &attention, const ggml::Tensor &reader, Expansion &out) {
    if (attention.flags & ggml::FLAG_OUTPUT || attention.view_src) return false;
    const ggml::Tensor *keys = keys_weight(*attention.src[0], attention.ne[0]), *values = values_weight(attention, reader);
    return keys && values && factor_of(*keys, out.keys) && factor_of(*values, out.values);
}

} // namespace kimicode
