#include "library.hpp"

#include <dlfcn.h>
#include <initializer_list>

namespace kimicode {
namespace {

// By the name that llama.cpp links to: any other file of the same content would be another library, with a registry of its own.
void *base_library() {
    for (const char *name : {"libggml-base.so.0", "@rpath/libggml-base.0.dylib"})
        if (void *found = dlopen(name, RTLD_NOW | RTLD_NOLOAD)) return found;
    return nullptr;
}

template <class F> bool take(void *library, const char *name, F &function) {
    function = reinterpret_cast<F>(dlsym(library, name));
    return function != nullptr;
}

} // namespace

const Ggml *loaded_ggml() {
    static Ggml found;
    static const bool there = [] {
        void *library = base_library();
        return library && take(library, "ggml_version", found.version) &&
               take(library, "ggml_backend_cpu_buffer_type", found.cpu_buffer_type) &&
               take(library, "ggml_backend_buft_is_host", found.is_host) &&
               take(library, "ggml_backend_buffer_is_host", found.buffer_is_host) &&
               take(library, "ggml_backend_buffer_get_usage", found.buffer_usage) &&
               take(library, "ggml_get_type_traits", found.type_traits) && take(library, "ggml_graph_n_nodes", found.node_count) &&
               take(library, "ggml_graph_node", found.node) &&
               take(library, "ggml_backend_buffer_init", found.new_buffer);
    }();
    return there ? &found : nullptr;
}

} // namespace kimicode
