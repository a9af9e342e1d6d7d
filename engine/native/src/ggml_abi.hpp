// ggml's backend interface as version 0.25.3 has it, declared here because its header is not installed with llama.cpp.
//
// Only what our backends need has types; the rest are pointers of the right number. tests/engine/native checks
// offsets and numbers against the headers that are installed, and plugin.cpp the library's version before anything is used.

#pragma once

#include <cstddef>
#include <cstdint>

namespace ggml {

constexpr const char *VERSION = "0.25.3";
constexpr int BACKEND_API_VERSION = 2;

constexpr int DIMS = 4, SOURCES = 10;
constexpr int OP_NONE = 0, OP_ADD = 2, OP_MUL = 7, OP_CONCAT = 22, OP_MUL_MAT = 29, OP_MUL_MAT_ID = 30, OP_FLASH_ATTN_EXT = 74, OP_GLU = 100;
constexpr int GLU_SWIGLU = 2;
constexpr int FLAG_OUTPUT = 2;
constexpr int USAGE_WEIGHTS = 1;
constexpr int TYPE_F32 = 0, TYPE_F16 = 1, TYPE_I32 = 26;
constexpr int DEVICE_ACCEL = 3;
constexpr int STATUS_OK = 0, STATUS_FAILED = -1, STATUS_ALLOC_FAILED = -2;

struct Tensor {
    int      type;
    void    *buffer;
    int64_t  ne[DIMS]; // elements
    size_t   nb[DIMS]; // strides in bytes
    int      op;
    int32_t  op_params[16];
    int32_t  flags;
    Tensor  *src[SOURCES];
    Tensor  *view_src;
    size_t   view_offs;
    void    *data;
    char     name[64];
    void    *extra;
    char     padding[8];
};

// How values of a type are stored.
struct TypeTraits {
    const char *type_name;
    int64_t     block, block_interleave;
    size_t      type_size;
    bool        is_quantized;
    void (*to_float)(const void *, float *, int64_t); // null: they are f32
    void *from_float;
};

struct Graph;
struct BufferType;
struct Buffer;
struct Device;
struct Registry;
struct Backend;

struct DeviceProperties {
    const char *name, *description;
    size_t      memory_free, memory_total;
    int         type;
    const char *device_id;
    struct {
        bool async, host_buffer, buffer_from_host_ptr, events, mmap_support;
    } caps;
};

struct BufferTypeInterface {
    const char *(*get_name)(BufferType *);
    Buffer *(*alloc_buffer)(BufferType *, size_t);
    size_t (*get_alignment)(BufferType *);
    size_t (*get_max_size)(BufferType *);
    size_t (*get_alloc_size)(BufferType *, const Tensor *);
    bool (*is_host)(BufferType *);
};

struct BufferType {
    BufferTypeInterface interface;
    Device             *device;
    void               *context;
};

struct BufferInterface {
    void (*free_buffer)(Buffer *);
    void *(*get_base)(Buffer *);
    void *init_tensor;
    void (*memset_tensor)(Buffer *, Tensor *, uint8_t value, size_t offset, size_t size);
    void (*set_tensor)(Buffer *, Tensor *, const void *, size_t offset, size_t size);
    void (*get_tensor)(Buffer *, const Tensor *, void *, size_t offset, size_t size);
    void *set_tensor_2d, *get_tensor_2d, *cpy_tensor;
    void (*clear)(Buffer *, uint8_t value);
    void *reset;
};

struct Buffer {
    BufferInterface interface;
    BufferType     *type;
    void           *context;
    size_t          size;
    int             usage;
};

struct BackendInterface {
    const char *(*get_name)(Backend *);
    void (*free)(Backend *);
    void *set_tensor_async, *get_tensor_async, *set_tensor_2d_async, *get_tensor_2d_async, *cpy_tensor_async;
    void *synchronize;
    void *graph_plan_create, *graph_plan_free, *graph_plan_update, *graph_plan_compute;
    int (*graph_compute)(Backend *, Graph *);
    void *event_record, *event_wait;
    void *graph_optimize;
};

struct Backend {
    const uint8_t   *guid;
    BackendInterface interface;
    Device          *device;
    void            *context;
};

struct DeviceInterface {
    const char *(*get_name)(Device *);
    const char *(*get_description)(Device *);
    void (*get_memory)(Device *, size_t *free, size_t *total);
    int (*get_type)(Device *);
    void (*get_props)(Device *, DeviceProperties *);
    Backend *(*init_backend)(Device *, const char *parameters);
    BufferType *(*get_buffer_type)(Device *);
    void *get_host_buffer_type, *buffer_from_host_ptr;
    bool (*supports_op)(Device *, const Tensor *);
    bool (*supports_buft)(Device *, BufferType *);
    void *offload_op;
    void *event_new, *event_free, *event_synchronize;
};

struct Device {
    DeviceInterface interface;
    Registry       *registry;
    void           *context;
};

struct RegistryInterface {
    const char *(*get_name)(Registry *);
    size_t (*get_device_count)(Registry *);
    Device *(*get_device)(Registry *, size_t);
    void *(*get_proc_address)(Registry *, const char *name);
};

struct Registry {
    int               api_version;
    RegistryInterface interface;
    void             *context;
};

} // namespace ggml
