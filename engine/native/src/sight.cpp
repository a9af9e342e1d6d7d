#include "sight.hpp"

#include <algorithm>
#include <atomic>

namespace kimicode {
namespace {

constexpr int STRIP = 64;  // tiles that are read in one go
constexpr int MANY = 512;  // units of which several are looked at together
constexpr int LEAST = 24;  // cells of a unit
constexpr int BLOCK = 12;  // a multiple of the cells that kernels take at a time

int unit_of(int keys, int tile, int threads) {
    if (threads == 1) return tile;
    return std::clamp((keys / (2 * threads) + BLOCK - 1) / BLOCK * BLOCK, std::min(LEAST, tile), tile);
}

// Of `count` cells of a mask's row.
Glimpse glimpse(const uint16_t *mask, int count) {
    uint16_t seen = 0;
    for (int key = 0; key < count; ++key) seen += mask[key] != HIDDEN;
    int end = seen == 0 ? 0 : count;
    while (end > 0 && mask[end - 1] == HIDDEN) --end;
    return {seen, (uint16_t)end};
}

} // namespace

Sight look(const Attention &a, int kernel_tile, int threads, Team &team) {
    int unit = unit_of(a.keys, kernel_tile, threads), tile = std::min((a.keys - 1) / (MANY * unit) + 1, UINT16_MAX / unit) * unit;
    Sight sight{a.queries, a.keys, unit, tile, {}};
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
