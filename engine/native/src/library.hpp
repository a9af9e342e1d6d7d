// The functions of the ggml that this process has already loaded. Looked up by name: the plugin is linked to nothing, so one that was built
// for another version still loads, and can say so.

#pragma once

#include "ggml_abi.hpp"

namespace kimicode {

struct Ggml {
    const char *(*version)();
    ggml::BufferType *(*cpu_buffer_type)();
    bool (*is_host)(ggml::BufferType *);
    bool (*buffer_is_host)(void *);
    int (*buffer_usage)(void *);
    const ggml::TypeTraits *(*type_traits)(int type);
    int (*node_count)(ggml::Graph *);
    ggml::Tensor *(*node)(ggml::Graph *, int);
    ggml::Buffer *(*new_buffer)(ggml::BufferType *, ggml::BufferInterface, void *context, size_t);
};

// Null where no ggml is loaded, or one that lacks a function.
const Ggml *loaded_ggml();

} // namespace kimicode
