// How the work is divided: queries in groups, keys in ranges where there are too few queries for every thread.

#include "attention.hpp"
#include "memory.hpp"
#include "team.hpp"

#include <algorithm>
#include <atomic>
#include <cstring>
#include <new>
#include <vector>

namespace kimicode {
namespace {

constexpr int GROUP = 8;           // queries of a share: each tile of cells is read once for all of them
constexpr int SHARES_A_THREAD = 2; // more than one, since some threads are slower and some shares have more to skip
constexpr int FEWEST_KEYS = 128;   // of a range: below that dividing costs more than it saves

// Which shares there are: `groups` of queries times `ranges` of keys, each `step` keys long.
struct Division {
    int groups, ranges, step;
};

Division divide(const Attention &a, int threads) {
    int groups = (a.queries + GROUP - 1) / GROUP;
    int wanted = std::max(1, threads * SHARES_A_THREAD / groups);
    int ranges = threads == 1 ? 1 : std::clamp(a.keys / FEWEST_KEYS, 1, wanted);
    int step = (a.keys + ranges - 1) / ranges;
    step = (step + 63) / 64 * 64;
    return {groups, std::max(1, (a.keys + step - 1) / step), step};
}

} // namespace

size_t cell_bytes(Cell type, int width) {
    switch (type) {
        case Cell::f32: return (size_t)width * 4;
        case Cell::f16:
        case Cell::bf16: return (size_t)width * 2;
        case Cell::q8_0: return width % 32 == 0 ? (size_t)width / 32 * 34 : 0;
    }
    return 0;
}

bool possible(const Attention &a) {
    size_t bytes = cell_bytes(a.cell, a.width);
    return a.queries > 0 && a.keys > 0 && a.heads > 0 && a.latent > 0 && a.latent % 64 == 0 && a.width >= a.latent && a.width % 32 == 0 &&
           bytes > 0 && a.cell_stride >= bytes;
}

void attend(const Attention &a, const Kernel &kernel, Team &team) {
    Division d = divide(a, team.threads());
    size_t rows = (size_t)a.queries * a.heads, sums = rows * a.latent;
    size_t scratch = (kernel.scratch(a, std::min(GROUP, a.queries)) + 4095) / 4096 * 4096;
    // With one range the result itself takes the sums.
    size_t partial = d.ranges == 1 ? 0 : sums * d.ranges;
    static thread_local Block block;
    std::byte *memory = block.reserve(scratch * team.threads() + (partial + 2 * rows * d.ranges) * sizeof(float));
    if (!memory) throw std::bad_alloc();
    float *all = reinterpret_cast<float *>(memory + scratch * team.threads());
    float *peak = all + partial, *total = peak + rows * d.ranges;
    auto share_of = [&](int group, int range) {
        size_t first = (size_t)group * GROUP * a.heads;
        int key = range * d.step;
        return Share{group * GROUP,
                     std::min(GROUP, a.queries - group * GROUP),
                     key,
                     std::min(d.step, a.keys - key),
                     (d.ranges == 1 ? a.out : all + sums * range) + first * a.latent,
                     peak + rows * range + first,
                     total + rows * range + first};
    };
    std::atomic<int> next{0};
    team.run([&](int member) {
        for (int i; (i = next.fetch_add(1, std::memory_order_relaxed)) < d.groups * d.ranges;) {
            Share share = share_of(d.groups - 1 - i / d.ranges, i % d.ranges); // the last see most keys: they begin
            kernel.share(a, share, memory + scratch * member);
            if (d.ranges == 1) kernel.merge(share, 1, 0, 0, (size_t)share.queries * a.heads, a.latent, share.sums);
        }
    });
    if (d.ranges == 1) return;
    std::atomic<int> merged{0};
    team.run([&](int) {
        constexpr size_t PIECE = 16;
        for (size_t i; (i = (size_t)merged.fetch_add(1, std::memory_order_relaxed) * PIECE) < rows;) {
            Share share{0, 0, 0, 0, all + i * a.latent, peak + i, total + i};
            kernel.merge(share, d.ranges, sums, rows, std::min(PIECE, rows - i), a.latent, a.out + i * a.latent);
        }
    });
}

} // namespace kimicode
