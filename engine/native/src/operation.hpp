// llama.cpp's attention operation as an `Attention`, where it is one.
//
// FLASH_ATTN_EXT with one key head whose values are the keys' first columns: Q f32 [width, queries, heads, streams], K [width, keys, 1,
// streams], V a view of the same cells, mask f16 [keys, queries, 1, streams], result f32 [latent, heads, queries, streams].

#pragma once

#include "attention.hpp"
#include "ggml_abi.hpp"

namespace kimicode {

// Whether the operation is latent attention of a shape that the kernels compute. Looks at shapes only: at this time there is no data.
bool is_latent_attention(const ggml::Tensor &);

// How many streams it has, and one of them.
int       streams(const ggml::Tensor &);
Attention attention_of(const ggml::Tensor &, int stream);

} // namespace kimicode
