// A ggml backend of one device that computes one operation: latent attention, in host memory.
//
// llama.cpp puts accelerators before its CPU backend, and asks them of each operation; what this one does not take stays where it was. It
// holds no buffers. It refuses to load, with a reason, beside another ggml than the one it was written for, where no kernel runs, or where
// the chosen kernel fails a small test.

#include "api.h"
#include "attention.hpp"
#include "library.hpp"
#include "matrices.hpp"
#include "memory.hpp"
#include "numa.hpp"
#include "operation.hpp"
#include "selftest.hpp"
#include "team.hpp"

#include <array>
#include <atomic>
#include <cstring>
#include <new>
#include <string>

namespace kimicode {
namespace {

struct Choice {
    const Kernel *kernel = nullptr;
    std::string   refusal;
};
Choice choice;

std::atomic<Form> preferred{Form::cheaper};
std::array<std::atomic<uint64_t>, 3> computed; // attentions, by the form in which they were

Readers readers;

struct Context {
    Team    team{1};
    Block   memory;
    Settler pages;
};

Context &context_of(ggml::Backend *backend) { return *static_cast<Context *>(backend->context); }

const char *name(ggml::Backend *) { return "MLA"; }

void release(ggml::Backend *backend) {
    delete &context_of(backend);
    delete backend;
}

void compute_stream(const Attention &a, const Expansion *matrices, Context &context) {
    bool expanded = matrices && attend_expanded(a, *matrices, *choice.kernel, context.team, preferred, context.memory);
    if (!expanded) attend(a, *choice.kernel, context.team, context.memory);
    ++computed[static_cast<size_t>(expanded ? Form::expanded : Form::absorbed)];
}

// The memory of the whole cache of this layer, of which the operation sees a part.
void settle(const ggml::Tensor &cells, Settler &pages) {
    const ggml::Tensor &all = cells.view_src ? *cells.view_src : cells;
    pages.settle(all.data, all.nb[3] * (size_t)all.ne[3]);
}

int compute(ggml::Backend *backend, ggml::Graph *graph) {
    const Ggml &ggml = *loaded_ggml();
    try {
        for (int i = 0; i < ggml.node_count(graph); ++i) {
            const ggml::Tensor &op = *ggml.node(graph, i);
            if (op.op != ggml::OP_FLASH_ATTN_EXT) continue; // views, which compute nothing
            settle(*op.src[1], context_of(backend).pages);
            Expansion matrices;
            // The scheduler computes as far as a node that an evaluation callback wants to see.
            bool alone = i + 1 == ggml.node_count(graph);
            const ggml::Tensor *reader = alone ? nullptr : readers.only_reader(op);
            bool known = reader && matrices_of(op, *reader, matrices);
            for (int stream = 0; stream < streams(op); ++stream)
                compute_stream(attention_of(op, stream), known ? &matrices : nullptr, context_of(backend));
        }
    } catch (const std::bad_alloc &) {
        return ggml::STATUS_ALLOC_FAILED;
    }
    return ggml::STATUS_OK;
}

void set_threads(ggml::Backend *backend, int threads) { context_of(backend).team.resize(threads); }

const uint8_t GUID[16] = {0x6b, 0x69, 0x6d, 0x69, 0x63, 0x6f, 0x64, 0x65, 0x2d, 0x6d, 0x6c, 0x61, 0x2d, 0x30, 0x30, 0x31};

ggml::Backend *init(ggml::Device *device, const char *) {
    ggml::BackendInterface interface{};
    interface.get_name = name;
    interface.free = release;
    interface.graph_compute = compute;
    return new ggml::Backend{GUID, interface, device, new Context};
}

const char *device_name(ggml::Device *) { return "MLA"; }
const char *description(ggml::Device *) { return choice.kernel ? choice.kernel->name : "none"; }
void no_memory(ggml::Device *, size_t *free, size_t *total) { *free = *total = 0; }
int type(ggml::Device *) { return ggml::DEVICE_ACCEL; }

void properties(ggml::Device *device, ggml::DeviceProperties *out) {
    *out = {};
    out->name = device_name(device);
    out->description = description(device);
    out->type = ggml::DEVICE_ACCEL;
}

ggml::BufferType *buffer_type(ggml::Device *) { return loaded_ggml()->cpu_buffer_type(); }
bool supports(ggml::Device *, const ggml::Tensor *op) {
    try {
        readers.saw(*op);
    } catch (const std::bad_alloc &) {
        return false; // what it knew of another operation at this address would not be forgotten
    }
    return is_latent_attention(*op);
}
bool supports_buffer(ggml::Device *, ggml::BufferType *type) { return loaded_ggml()->is_host(type); }

const char *registry_name(ggml::Registry *) { return "kimicode"; }
size_t device_count(ggml::Registry *) { return 1; }

ggml::Device *device(ggml::Registry *registry, size_t) {
    static ggml::Device only = [] {
        ggml::DeviceInterface interface{};
        interface.get_name = device_name;
        interface.get_description = description;
        interface.get_memory = no_memory;
        interface.get_type = type;
        interface.get_props = properties;
        interface.init_backend = init;
        interface.get_buffer_type = buffer_type;
        interface.supports_op = supports;
        interface.supports_buft = supports_buffer;
        return ggml::Device{interface, nullptr, nullptr};
    }();
    only.registry = registry;
    return &only;
}

void *address(ggml::Registry *, const char *wanted) {
    return strcmp(wanted, "ggml_backend_set_n_threads") == 0 ? reinterpret_cast<void *>(set_threads) : nullptr;
}

std::string why_not() {
    const Ggml *ggml = loaded_ggml();
    if (!ggml) return "llama.cpp is not loaded, or its library lacks a function";
    if (strcmp(ggml->version(), ggml::VERSION) != 0)
        return std::string("it is made for ggml ") + ggml::VERSION + ", and this is " + ggml->version();
    if (!choice.kernel) return "no kernel was chosen";
    if (double error = self_test(*choice.kernel); !(error < LARGEST_ERROR))
        return std::string("the kernel ") + choice.kernel->name + " computes wrongly here (error " + std::to_string(error) + ")";
    return "";
}

} // namespace
} // namespace kimicode

using namespace kimicode;

int kimicode_choose(const char *kernel) {
    const Kernel *found = kernel_named(kernel);
    if (!found || !found->runs()) return 1;
    choice.kernel = found;
    return 0;
}

int kimicode_prefer(int form) {
    if (form < 0 || form > static_cast<int>(Form::expanded)) return 1;
    preferred = static_cast<Form>(form);
    return 0;
}

uint64_t kimicode_computed(int form) { return form > 0 && form <= static_cast<int>(Form::expanded) ? computed[form].load() : 0; }

const char *kimicode_refusal(void) { return choice.refusal.c_str(); }

extern "C" KIMICODE_API int ggml_backend_score() {
    choice.refusal = why_not();
    return choice.refusal.empty() ? 1 : 0;
}

extern "C" KIMICODE_API ggml::Registry *ggml_backend_init() {
    static ggml::Registry registry{ggml::BACKEND_API_VERSION, {registry_name, device_count, device, address}, nullptr};
    return &registry;
}
