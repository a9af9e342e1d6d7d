#include "../memory.hpp"
#include "../team.hpp"
#include "api.h"
#include "ggml_weights.hpp"
#include "open_store.hpp"
#include "weights.hpp"

#include <algorithm>
#include <cstring>
#include <new>
#include <string>
#include <vector>

using namespace kimicode;

namespace {

const Weights *named(const char *name) {
    for (int type = 0; type < ggml::TYPES; ++type)
        for (int index = 0; const Weights *one = weights_of(type, index); ++index)
            if (strcmp(one->name(), name) == 0) return one;
    return nullptr;
}

void multiply(const Weights &weights, Product product, const float *x, float *out, int rows, Team &team) {
    size_t    row = weights.quantised_bytes(product.width);
    Block     memory;
    std::byte *start = memory.reserve(row * product.count + 1);
    if (!start) throw std::bad_alloc();
    std::vector<const std::byte *> in;
    std::vector<float *>           results;
    for (int r = 0; r < product.count; ++r) {
        in.push_back(start + r * row);
        results.push_back(out + (size_t)r * rows);
    }
    product.rows = in.data();
    product.out = results.data();
    int together = weights.rows_together(), blocks = (rows + together - 1) / together, members = team.threads();
    team.run([&](int member) {
        for (int r = member; r < product.count; r += members)
            weights.quantise(x + (size_t)r * product.width, product.width, start + r * row);
    });
    team.run([&](int member) {
        Product part = product;
        part.first = std::min(rows, (int)((int64_t)blocks * member / members) * together);
        part.last = std::min(rows, (int)((int64_t)blocks * (member + 1) / members) * together);
        weights.multiply(part);
    });
}

} // namespace

const char *kimicode_weights(int type) {
    thread_local std::string names;
    names.clear();
    for (int index = 0; const Weights *one = weights_of(type, index); ++index) names.append(index ? " " : "").append(one->name());
    return names.c_str();
}

int kimicode_choose_weights(const char *name) {
    if (choose_weights(name)) return 0;
    set_error(std::string("there are no weights ") + name + " here");
    return 1;
}

int kimicode_multiply(const char *name, const void *w, int width, int rows, const float *x, int count, float *out, int threads) {
    const Weights *weights = named(name);
    if (!weights) {
        set_error(std::string("there are no weights ") + name + " here");
        return 1;
    }
    if (!weights->takes(width) || rows < 0 || count < 0) {
        set_error(std::string(name) + " don't take rows of " + std::to_string(width) + " values");
        return 2;
    }
    try {
        Team team(threads);
        multiply(*weights, {static_cast<const std::byte *>(w), width, 0, rows, nullptr, count, nullptr}, x, out, rows, team);
    } catch (const std::bad_alloc &) {
        set_error("there is no memory left");
        return 3;
    }
    return 0;
}
