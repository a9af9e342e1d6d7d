#include "api.h"
#include "attention.hpp"
#include "team.hpp"

#include <new>
#include <string>
#include <vector>

using namespace kimicode;

namespace {

const Kernel *usable(const char *name) {
    const Kernel *kernel = kernel_named(name);
    return kernel && kernel->runs() ? kernel : nullptr;
}

} // namespace

const char *kimicode_kernels(void) {
    static const std::string names = [] {
        std::string all;
        int count;
        const Kernel *const *list = kernels(count);
        for (int i = 0; i < count; ++i)
            if (list[i]->runs()) all += (all.empty() ? "" : " ") + std::string(list[i]->name);
        return all;
    }();
    return names.c_str();
}

int kimicode_attend(const kimicode_attention *c, const char *name, int threads) {
    const Kernel *kernel = usable(name);
    if (!kernel) return 1;
    Attention a{static_cast<const std::byte *>(c->q), c->q_query, c->q_head, static_cast<const std::byte *>(c->cells), c->cell_stride,
                static_cast<Cell>(c->cell), static_cast<const std::byte *>(c->mask), c->mask_query, c->out, c->queries, c->keys, c->heads,
                c->width, c->latent, c->scale};
    if (!possible(a)) return 2;
    try {
        Team team(threads);
        attend(a, *kernel, team);
    } catch (const std::bad_alloc &) {
        return 3;
    }
    return 0;
}

double kimicode_peak(const char *name, int threads, double seconds) {
    const Kernel *kernel = usable(name);
    if (!kernel) return 0;
    Team team(threads);
    std::vector<double> rates(team.threads());
    team.run([&](int member) { rates[member] = kernel->peak(seconds); });
    double all = 0;
    for (double rate : rates) all += rate;
    return all;
}
