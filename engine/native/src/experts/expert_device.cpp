#include "expert_device.hpp"

#include "../library.hpp"
#include "../worker.hpp"
#include "api.h"
#include "expert_operation.hpp"
#include "open_store.hpp"
#include "prediction.hpp"

#include <algorithm>
#include <cstring>
#include <mutex>
#include <new>
#include <sys/mman.h>

namespace kimicode {
namespace {

constexpr size_t ALIGNMENT = 128;
constexpr size_t PAGE = 4096;

const char *device_name(ggml::Device *);

// Address space of one buffer.
struct Space {
    void  *start;
    size_t size; // whole pages
};

std::mutex            spaces_lock;
std::vector<ggml::Buffer *> buffers; // all there are

Space &space_of(ggml::Buffer *buffer) { return *static_cast<Space *>(buffer->context); }

void free_buffer(ggml::Buffer *buffer) {
    {
        std::lock_guard lock(spaces_lock);
        buffers.erase(std::remove(buffers.begin(), buffers.end(), buffer), buffers.end());
    }
    munmap(space_of(buffer).start, space_of(buffer).size);
    delete &space_of(buffer);
}

void *base_of(ggml::Buffer *buffer) { return space_of(buffer).start; }
void  memset_tensor(ggml::Buffer *, ggml::Tensor *t, uint8_t value, size_t offset, size_t size) {
    memset(static_cast<std::byte *>(t->data) + offset, value, size);
}
void set_tensor(ggml::Buffer *, ggml::Tensor *t, const void *data, size_t offset, size_t size) {
    memcpy(static_cast<std::byte *>(t->data) + offset, data, size);
}
void get_tensor(ggml::Buffer *, const ggml::Tensor *t, void *data, size_t offset, size_t size) {
    memcpy(data, static_cast<const std::byte *>(t->data) + offset, size);
}
void clear(ggml::Buffer *buffer, uint8_t value) {
    if (buffer->usage != ggml::USAGE_WEIGHTS) memset(base_of(buffer), value, buffer->size);
}

const char *type_name(ggml::BufferType *) { return "EXP"; }
size_t      alignment(ggml::BufferType *) { return ALIGNMENT; }
bool        is_host(ggml::BufferType *) { return true; }

ggml::Buffer *allocate(ggml::BufferType *type, size_t size) {
    size_t whole = (std::max<size_t>(size, 1) + PAGE - 1) / PAGE * PAGE;
    void  *start = mmap(nullptr, whole, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (start == MAP_FAILED) return nullptr;
    ggml::BufferInterface interface{};
    interface.free_buffer = free_buffer;
    interface.get_base = base_of;
    interface.memset_tensor = memset_tensor;
    interface.set_tensor = set_tensor;
    interface.get_tensor = get_tensor;
    interface.clear = clear;
    ggml::Buffer *buffer = loaded_ggml()->new_buffer(type, interface, new Space{start, whole}, size);
    std::lock_guard lock(spaces_lock);
    buffers.push_back(buffer);
    return buffer;
}

ggml::BufferType *buffer_type(ggml::Device *device) {
    static ggml::BufferType only{{type_name, allocate, alignment, nullptr, nullptr, is_host}, device, nullptr};
    return &only;
}

struct Context : Worker {
    Block memory;
};

Context &context_of(ggml::Backend *backend) { return static_cast<Context &>(worker_of(backend)); }

void compute_step(const ExpertStep &step, Store &store, Context &context) {
    if (!step.product) return compute_glu(*step.glu, context.team);
    if (!step.glu) return compute(expert_product(*step.product), store, context.team, context.memory);
    ExpertLayer layer = expert_layer(step);
    compute(layer, store, context.team, context.memory, [&] { look_ahead(layer, store, context.team); });
}

int compute_graph(ggml::Backend *backend, ggml::Graph *graph) {
    const Ggml &ggml = *loaded_ggml();
    auto        store = open_store();
    if (!store) {
        set_error("the store of experts was closed while a model used it");
        return ggml::STATUS_FAILED;
    }
    try {
        std::vector<const ggml::Tensor *> nodes;
        for (int i = 0; i < ggml.node_count(graph); ++i) nodes.push_back(ggml.node(graph, i));
        for (const ExpertStep &step : steps_of(nodes)) compute_step(step, *store, context_of(backend));
    } catch (const std::bad_alloc &) {
        set_error("no memory for the experts' intermediate results");
        return ggml::STATUS_ALLOC_FAILED;
    } catch (const std::exception &error) {
        set_error(error.what());
        return ggml::STATUS_FAILED;
    }
    return ggml::STATUS_OK;
}

const uint8_t GUID[16] = {0x6b, 0x69, 0x6d, 0x69, 0x63, 0x6f, 0x64, 0x65, 0x2d, 0x65, 0x78, 0x70, 0x2d, 0x30, 0x30, 0x31};

const char *backend_name(ggml::Backend *) { return "EXP"; }

ggml::Backend *init(ggml::Device *device, const char *) {
    ggml::BackendInterface interface{};
    interface.get_name = backend_name;
    interface.free = release_worker;
    interface.graph_compute = compute_graph;
    return new ggml::Backend{GUID, interface, device, static_cast<Worker *>(new Context)};
}

const char *device_name(ggml::Device *) { return "EXP"; }
const char *description(ggml::Device *) { return "routed experts, in memory and on disk"; }
void        no_memory(ggml::Device *, size_t *free, size_t *total) { *free = *total = 0; }
int         type(ggml::Device *) { return ggml::DEVICE_ACCEL; }

void properties(ggml::Device *device, ggml::DeviceProperties *out) {
    *out = {};
    out->name = device_name(device);
    out->description = description(device);
    out->type = ggml::DEVICE_ACCEL;
}

// Weights are ours where they lie in a buffer of ours.
bool held(const ggml::Tensor *weights) {
    auto *buffer = static_cast<const ggml::Buffer *>(weights->buffer);
    return buffer && buffer->type->interface.get_name == type_name;
}

bool supports(ggml::Device *, const ggml::Tensor *op) {
    auto store = open_store();
    if (!store) return false;
    try {
        saw_router(*op);
    } catch (const std::bad_alloc &) {
        return false;
    }
    if (op->op == ggml::OP_MUL_MAT_ID) return held(op->src[0]) && is_expert_product(*op, *store);
    return is_expert_glu(*op, *store) && held((op->src[0]->view_src ? op->src[0]->view_src : op->src[0])->src[0]);
}

bool supports_buffer(ggml::Device *, ggml::BufferType *type) { return loaded_ggml()->is_host(type); }

} // namespace

ggml::Device *expert_device(ggml::Registry *registry) {
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

void kimicode_store_seal(void) {
    using namespace kimicode;
    std::lock_guard lock(spaces_lock);
    for (ggml::Buffer *buffer : buffers) {
        if (buffer->usage != ggml::USAGE_WEIGHTS) continue;
        Space &space = space_of(buffer);
        madvise(space.start, space.size, MADV_DONTNEED);
        mprotect(space.start, space.size, PROT_NONE);
    }
}
