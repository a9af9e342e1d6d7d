#include "sight.hpp"

#include <algorithm>
#include <atomic>

namespace kimicode {
namespace {

constexpr int STRIP = 64; // tiles that are read in one go

// Of `count` cells of a mask's row.
Glimpse glimpse(const uint16_t *mask, int count) {
    uint16_t seen = 0;
    for (int key = 0; key < count; ++key) seen += mask[key] != HIDDEN;
    int end = seen == 0 ? 0 : count;
    while (end > 0 && mask[end - 1] == HIDDEN) --end;
    return {seen, (uint16_t)end};
}

} // namespace

Sight look(const Attention &a, int tile, Team &team) {
    Sight sight{a.queries, a.keys, tile, {}};
    int tiles = sight.tiles(), strips = (tiles + STRIP - 1) / STRIP;
    sight.glimpses.resize((size_t)a.queries * tiles);
    auto read = [&](int query, int strip) {
        Glimpse *out = sight.glimpses.data() + (size_t)query * tiles;
        for (int t = strip * STRIP; t < std::min(tiles, (strip + 1) * STRIP); ++t) {
            int width = sight.width(t);
            out[t] = a.mask ? glimpse(mask_row(a, query) + (size_t)t * tile, width) : Glimpse{(uint16_t)width, (uint16_t)width};
        }
    };
    int jobs = a.queries * strips;
    std::atomic<int> next{0};
    auto work = [&](int) {
        for (int i; (i = next.fetch_add(1, std::memory_order_relaxed)) < jobs;) read(i / strips, i % strips);
    };
    if (!a.mask || (long)a.queries * a.keys < READ_ALONE) {
        work(0);
    } else {
        team.run(work);
    }
    return sight;
}

} // namespace kimicode
