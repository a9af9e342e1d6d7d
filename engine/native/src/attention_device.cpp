#include "attention_device.hpp"

#include "api.h"
#include "library.hpp"
#include "matrices.hpp"
#include "memory.hpp"
#include "numa.hpp"
#include "operation.hpp"
#include "worker.hpp"

#include <array>
#include <atomic>
#include <new>

namespace kimicode {
namespace {

const Kernel *chosen = nullptr;

std::atomic<Form> preferred{Form::cheaper};
std::array<std::atomic<uint64_t>, 3> computed; // attentions, by the form in which they were

Readers readers;

struct Context : Worker {
    Block   memory;
    Settler pages;
};

Context &context_of(ggml::Backend *backend) { return static_cast<Context &>(worker_of(backend)); }

const char *name(ggml::Backend *) { return "MLA"; }

void compute_stream(const Attention &a, const Expansion *matrices, Context &context) {
    bool expanded = matrices && attend_expanded(a, *matrices, *chosen, context.team, preferred, context.memory);
    if (!expanded) attend(a, *chosen, context.team, context.memory);
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

const uint8_t GUID[16] = {0x6b, 0x69, 0x6d, 0x69, 0x63, 0x6f, 0x64, 0x65, 0x2d, 0x6d, 0x6c, 0x61, 0x2d, 0x30, 0x30, 0x31};

ggml::Backend *init(ggml::Device *device, const char *) {
    ggml::BackendInterface interface{};
    interface.get_name = name;
    interface.free = release_worker;
    interface.graph_compute = compute;
    return new ggml::Backend{GUID, interface, device, static_cast<Worker *>(new Context)};
}

const char *device_name(ggml::Device *) { return "MLA"; }
const char *description(ggml::Device *) { return chosen ? chosen->name : "none"; }
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
    if (!chosen) return false;
    try {
        readers.saw(*op);
    } catch (const std::bad_alloc &) {
        return false; // what it knew of another operation at this address would not be forgotten
    }
    return is_latent_attention(*op);
}
bool supports_buffer(ggml::Device *, ggml::BufferType *type) { return loaded_ggml()->is_host(type); }

} // namespace

void          choose_attention(const Kernel *kernel) { chosen = kernel; }
const Kernel *chosen_attention() { return chosen; }

ggml::Device *attention_device(ggml::Registry *registry) {
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

} // namespace kimicode

int kimicode_prefer(int form) {
    if (form < 0 || form > static_cast<int>(kimicode::Form::expanded)) return 1;
    kimicode::preferred = static_cast<kimicode::Form>(form);
    return 0;
}

uint64_t kimicode_computed(int form) {
    return form > 0 && form <= static_cast<int>(kimicode::Form::expanded) ? kimicode::computed[form].load() : 0;
}
