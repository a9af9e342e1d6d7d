#include "weights.hpp"
#include "ggml_weights.hpp"
#include "int4.hpp"

#include <array>
#include <atomic>
#include <cstring>

namespace kimicode {
namespace {

// By type; null: the best one.
std::array<std::atomic<const Weights *>, ggml::TYPES> chosen;

} // namespace

const Weights *weights_of(int type, int index) {
    if (type != TYPE_Q4_0) return index == 0 ? ggml_weights(type) : nullptr;
    int own = 0;
    while (int4_weights(own)) ++own;
    return index < own ? int4_weights(index) : index == own ? ggml_weights(type) : nullptr;
}

const Weights *weights_of(int type) {
    if (type < 0 || type >= ggml::TYPES) return nullptr;
    const Weights *one = chosen[type];
    return one ? one : weights_of(type, 0);
}

bool choose_weights(const char *name) {
    for (int type = 0; type < ggml::TYPES; ++type)
        for (int index = 0; const Weights *one = weights_of(type, index); ++index)
            if (strcmp(one->name(), name) == 0) {
                chosen[type] = one;
                return true;
            }
    return false;
}

} // namespace kimicode
