// The library as a ggml backend: two devices, one for attention and one for routed experts, and whether it may be loaded.
//
// It refuses, with a reason, beside another ggml than the one it was written for, and where the chosen kernel fails a small test.

#include "api.h"
#include "attention_device.hpp"
#include "experts/expert_device.hpp"
#include "library.hpp"
#include "selftest.hpp"
#include "worker.hpp"

#include <cstring>
#include <string>

namespace kimicode {
namespace {

std::string refusal;

void set_threads(ggml::Backend *backend, int threads) { worker_of(backend).team.resize(threads); }

const char *registry_name(ggml::Registry *) { return "kimicode"; }
size_t device_count(ggml::Registry *) { return 2; }
ggml::Device *device(ggml::Registry *registry, size_t index) { return index ? expert_device(registry) : attention_device(registry); }

void *address(ggml::Registry *, const char *wanted) {
    return strcmp(wanted, "ggml_backend_set_n_threads") == 0 ? reinterpret_cast<void *>(set_threads) : nullptr;
}

std::string why_not() {
    const Ggml *ggml = loaded_ggml();
    if (!ggml) return "llama.cpp is not loaded, or its library lacks a function";
    if (strcmp(ggml->version(), ggml::VERSION) != 0)
        return std::string("it is made for ggml ") + ggml::VERSION + ", and this is " + ggml->version();
    const Kernel *kernel = chosen_attention();
    if (!kernel) return "";
    if (double error = self_test(*kernel); !(error < LARGEST_ERROR))
        return std::string("the kernel ") + kernel->name + " computes wrongly here (error " + std::to_string(error) + ")";
    return "";
}

} // namespace
} // namespace kimicode

using namespace kimicode;

int kimicode_choose(const char *kernel) {
    const Kernel *found = kernel_named(kernel);
    if (!found || !found->runs()) return 1;
    choose_attention(found);
    return 0;
}

const char *kimicode_refusal(void) { return refusal.c_str(); }

extern "C" KIMICODE_API int ggml_backend_score() {
    refusal = why_not();
    return refusal.empty() ? 1 : 0;
}

extern "C" KIMICODE_API ggml::Registry *ggml_backend_init() {
    static ggml::Registry registry{ggml::BACKEND_API_VERSION, {registry_name, device_count, device, address}, nullptr};
    return &registry;
}
