#include "api.h"
#include "attention.hpp"
#include "expanded.hpp"
#include "memory.hpp"
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

Attention attention_of(const kimicode_attention &c) {
    return {static_cast<const std::byte *>(c.q), c.q_query, c.q_head, static_cast<const std::byte *>(c.cells), c.cell_stride,
            static_cast<Cell>(c.cell), static_cast<const std::byte *>(c.mask), c.mask_query, c.out, c.queries, c.keys, c.heads,
            c.width, c.latent, c.scale};
}

Factor factor_of(const float *data, int rows, int width) {
    size_t row = (size_t)width * sizeof *data;
    return {reinterpret_cast<const std::byte *>(data), row, row * rows, width, rows, nullptr};
}

} // namespace

const char *kimicode_kernels(void) {
    static const std::string names = [] {
        std::string all;
        int count;
        const Kernel *const *list = kernels(count);
        for (int i = 0; i < count; ++i)
            if (list[i]->runs()) all.append(all.empty() ? "" : " ").append(list[i]->name);
        return all;
    }();
    return names.c_str();
}

int kimicode_attend(const kimicode_attention *c, const char *name, int threads) {
    const Kernel *kernel = usable(name);
    if (!kernel) return 1;
    Attention a = attention_of(*c);
    if (!possible(a)) return 2;
    try {
        Team team(threads);
        attend(a, *kernel, team);
    } catch (const std::bad_alloc &) {
        return 3;
    }
    return 0;
}

int kimicode_attend_expanded(const kimicode_attention *c, const kimicode_expansion *m, const char *name, int threads, int form) {
    const Kernel *kernel = usable(name);
    if (!kernel || !kernel->expanded) return 1;
    Attention a = attention_of(*c);
    Expansion e{factor_of(m->keys, c->latent, m->key_rank), factor_of(m->values, m->value_rank, c->latent)};
    if (!possible(a, e)) return 2;
    try {
        Team team(threads);
        Block memory;
        return attend_expanded(a, e, *kernel, team, static_cast<Form>(form), memory) ? 0 : 4;
    } catch (const std::bad_alloc &) {
        return 3;
    }
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
