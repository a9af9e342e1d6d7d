#include "expanded.hpp"
#include "memory.hpp"
#include "team.hpp"

#include <algorithm>
#include <atomic>
#include <new>
#include <vector>

namespace kimicode {
namespace {

constexpr int LARGEST_PART = 2048; // queries: bounds a thread's memory to a few MB
constexpr int FEWEST = BLOCK;      // queries for which it is worth looking whether the form is cheaper

// Measured with K2's sizes on Zen 3, exact and pairs: the forms are level at 200 queries of 8,192 keys and at 512 of 1,024.
constexpr double BASIS_COST = 4;   // multiplications for each value of a matrix and each of its rows
constexpr double GAIN = 0.9;       // of the absorbed form's cost: less is not worth another way of rounding

// What each block of queries sees of each tile, and how many (query, key) pairs and keys the tiles that are seen have.
struct Map {
    std::vector<Seen> seen;
    int    tiles, blocks;
    double pairs = 0, keys = 0;
};

Seen seen_of(const Attention &a, int query, int queries, int key, int keys) {
    uint16_t differs = 0;
    bool open = false;
    for (int i = query; i < query + queries; ++i) {
        const uint16_t *mask = reinterpret_cast<const uint16_t *>(a.mask + (size_t)i * a.mask_query) + key;
        uint16_t shown = 0;
        for (int j = 0; j < keys; ++j) {
            differs |= mask[j];
            shown |= (uint16_t)(mask[j] ^ 0xfc00);
        }
        open |= shown != 0;
    }
    return !open ? Seen::nothing : differs & 0x7fff ? Seen::some : Seen::all;
}

Map look(const Attention &a, int step, Team &team) {
    Map map{{}, (a.keys + step - 1) / step, (a.queries + BLOCK - 1) / BLOCK};
    map.seen.assign((size_t)map.tiles * map.blocks, Seen::all);
    auto queries_of = [&](int block) { return std::min(BLOCK, a.queries - block * BLOCK); };
    auto keys_of = [&](int tile) { return std::min(step, a.keys - tile * step); };
    std::atomic<int> next{0};
    if (a.mask) team.run([&](int) {
        for (int i; (i = next.fetch_add(1, std::memory_order_relaxed)) < map.blocks;)
            for (int tile = 0; tile < map.tiles; ++tile)
                map.seen[(size_t)i * map.tiles + tile] = seen_of(a, i * BLOCK, queries_of(i), tile * step, keys_of(tile));
    });
    for (int tile = 0; tile < map.tiles; ++tile) {
        bool seen = false;
        for (int block = 0; block < map.blocks; ++block) {
            if (map.seen[(size_t)block * map.tiles + tile] == Seen::nothing) continue;
            map.pairs += (double)queries_of(block) * keys_of(tile);
            seen = true;
        }
        map.keys += seen ? keys_of(tile) : 0;
    }
    return map;
}

// Multiplications of one thread until all have done, in each form.
double absorbed_cost(const Attention &a, const Map &map, int threads) { return map.pairs * a.heads * (a.width + a.latent) / threads; }

double expanded_cost(const Attention &a, const Expansion &e, const Map &map, int groups, int threads) {
    double ranks = e.keys.width + e.values.rows, latent = a.latent;
    double bases = BASIS_COST * latent * ((double)e.keys.width * e.keys.width + (double)e.values.rows * e.values.rows);
    double once = bases + map.keys * latent * ranks;
    double head = (map.pairs * (ranks + a.width - latent) + a.queries * latent * ranks) / groups + once;
    return head * ((a.heads * groups + threads - 1) / threads);
}

// Into how many parts the queries of a head go: few, since each makes the keys anew, but enough for all threads.
int groups_of(const Attention &a, const Expansion &e, const Map &map, int threads) {
    int best = (a.queries + LARGEST_PART - 1) / LARGEST_PART, most = std::min(map.blocks, best * 8);
    for (int groups = best + 1; groups <= most; ++groups)
        if (expanded_cost(a, e, map, groups, threads) < expanded_cost(a, e, map, best, threads)) best = groups;
    return best;
}

bool compute(const Attention &a, const Expansion &e, const ExpandedKernel &kernel, const Map &map, int groups, Team &team,
             Block &block) {
    int blocks = (map.blocks + groups - 1) / groups, size = blocks * BLOCK;
    groups = (map.blocks + blocks - 1) / blocks;
    size_t scratch = (kernel.scratch(a, e, std::min(size, a.queries)) + 4095) / 4096 * 4096;
    std::byte *memory = block.reserve(scratch * team.threads());
    if (!memory) throw std::bad_alloc();
    std::atomic<int> next{0};
    std::atomic<bool> sound{true};
    team.run([&](int member) {
        for (int i; (i = next.fetch_add(1, std::memory_order_relaxed)) < a.heads * groups && sound;) {
            int query = (groups - 1 - i / a.heads) * size; // the last see most keys: they begin
            Part part{i % a.heads, query, std::min(size, a.queries - query)};
            if (!kernel.part(a, e, part, map.seen.data(), memory + scratch * member)) sound = false;
        }
    });
    return sound;
}

} // namespace

bool possible(const Attention &a, const Expansion &e) {
    return possible(a) && e.keys.rows == a.latent && e.values.width == a.latent && e.keys.width > 0 && e.keys.width <= a.latent &&
           e.values.rows > 0 && e.values.rows <= a.latent && e.keys.data && e.values.data;
}

bool attend_expanded(const Attention &a, const Expansion &e, const Kernel &kernel, Team &team, Form form, Block &memory) {
    if (form == Form::absorbed || !kernel.expanded || !possible(a, e) || (form == Form::cheaper && a.queries < FEWEST)) return false;
    Map map = look(a, kernel.expanded->keys, team);
    int threads = team.threads(), groups = groups_of(a, e, map, threads);
    double cost = expanded_cost(a, e, map, groups, threads);
    if (form == Form::cheaper && cost > GAIN * absorbed_cost(a, map, threads)) return false;
    return compute(a, e, *kernel.expanded, map, groups, team, memory);
}

} // namespace kimicode
