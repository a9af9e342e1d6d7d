#include "ggml_weights.hpp"
#include "../library.hpp"

#include <array>
#include <cstring>
#include <dlfcn.h>
#include <mutex>
#include <optional>
#include <string>

namespace kimicode {
namespace {

// What the CPU's part of ggml has.
struct Cpu {
    const ggml::CpuTypeTraits *(*type_traits)(int type);
    void (*init)();
};

// By the name that llama.cpp links to, as the rest of ggml.
bool loaded_cpu(Cpu &found) {
    for (const char *name : {"libggml-cpu.so.0", "@rpath/libggml-cpu.0.dylib"})
        if (void *library = dlopen(name, RTLD_NOW | RTLD_NOLOAD)) {
            found.type_traits = reinterpret_cast<decltype(found.type_traits)>(dlsym(library, "ggml_get_type_traits_cpu"));
            found.init = reinterpret_cast<decltype(found.init)>(dlsym(library, "ggml_cpu_init"));
            return found.type_traits && found.init;
        }
    return false;
}

class GgmlWeights : public Weights {
  public:
    GgmlWeights(int type, const Ggml &ggml, const Cpu &cpu)
        : type_(type), name_(std::string("ggml-") + ggml.type_traits(type)->type_name), w_(*ggml.type_traits(type)),
          x_(*ggml.type_traits(cpu.type_traits(type)->vec_dot_type)), dot_(*cpu.type_traits(type)),
          from_float_(cpu.type_traits(dot_.vec_dot_type)->from_float) {}

    const char *name() const override { return name_.c_str(); }
    int         type() const override { return type_; }
    bool        takes(int width) const override { return width > 0 && width % w_.block == 0 && width % x_.block == 0; }
    size_t      row_bytes(int width) const override { return width / w_.block * w_.type_size; }
    size_t      quantised_bytes(int width) const override { return (width / x_.block * x_.type_size + 63) / 64 * 64; }
    void        quantise(const float *row, int width, std::byte *out) const override { from_float_(row, out, width); }
    int         rows_together() const override { return 1; }
    void        multiply(const Product &p) const override {
        size_t bytes = row_bytes(p.width);
        for (int i = p.first; i < p.last; ++i)
            for (int r = 0; r < p.count; ++r) dot_.vec_dot(p.width, p.out[r] + i, 0, p.weights + i * bytes, 0, p.rows[r], 0, 1);
    }

  private:
    int                 type_;
    std::string         name_;
    ggml::TypeTraits    w_, x_;
    ggml::CpuTypeTraits dot_;
    void (*from_float_)(const float *, void *, int64_t);
};

bool multiplies(int type, const Ggml &ggml, const Cpu &cpu) {
    const ggml::CpuTypeTraits *dot = cpu.type_traits(type);
    return ggml.type_traits(type)->block > 0 && dot->vec_dot && cpu.type_traits(dot->vec_dot_type)->from_float;
}

} // namespace

const Weights *ggml_weights(int type) {
    static std::mutex                                         lock;
    static std::array<std::optional<GgmlWeights>, ggml::TYPES> found;
    static Cpu                                                cpu{};
    if (type < 0 || type >= ggml::TYPES) return nullptr;
    std::lock_guard guard(lock);
    if (found[type]) return &*found[type];
    // The CPU's part first: where it is loaded, the rest is, and `loaded_ggml` never looks twice.
    if (!cpu.init && !loaded_cpu(cpu)) return nullptr;
    const Ggml *ggml = loaded_ggml();
    if (!ggml || strcmp(ggml->version(), ggml::VERSION) != 0) return nullptr;
    cpu.init();
    if (!multiplies(type, *ggml, cpu)) return nullptr;
    return &found[type].emplace(type, *ggml, cpu);
}

} // namespace kimicode
