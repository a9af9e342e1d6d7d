#include "api.h"
#include "layer.hpp"
#include "open_store.hpp"

#include <new>

using namespace kimicode;

int kimicode_layer(int layer, const int *types, int width, int hidden, const float *x, const int *ids, int tokens, int used, float *out,
                   int threads) {
    static thread_local Block memory;
    auto                      store = open_store();
    const Weights            *weights[PARTS];
    for (int part = 0; part < PARTS; ++part) weights[part] = weights_of(types[part]);
    bool taken = weights[0] && weights[1] && weights[2] && weights[0]->takes(width) && weights[1]->takes(width) && weights[2]->takes(hidden);
    if (!store || !taken || layer < 0 || layer >= store->layers()) {
        set_error(store ? "no such layer, or nothing that multiplies weights of these types and sizes" : "no store is open");
        return 1;
    }
    size_t      row = (size_t)width * sizeof(float);
    ExpertLayer l{reinterpret_cast<const std::byte *>(x),
                  row,
                  reinterpret_cast<const std::byte *>(ids),
                  used * sizeof(int),
                  reinterpret_cast<std::byte *>(out),
                  row * used,
                  row,
                  tokens,
                  used,
                  store->experts(),
                  width,
                  hidden,
                  weights[0],
                  weights[1],
                  weights[2],
                  layer};
    try {
        Team team(threads);
        compute(l, *store, team, memory);
    } catch (const std::exception &error) {
        set_error(error.what());
        return 1;
    }
    return 0;
}
