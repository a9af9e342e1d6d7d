#include "division.hpp"

#include <algorithm>
#include <atomic>
#include <bit>
#include <cmath>
#include <functional>
#include <map>
#include <numeric>
#include <utility>

namespace kimicode {
namespace {

// Costs in products of all heads of one query with one cell; measured with K2's sizes on Zen 3, exact and in 16 bits much alike.
constexpr double READING = 8.0;    // what a cell costs once for all queries of a group, times heads: 1/8 of a product at 64 heads
constexpr double OVERHEAD = 30.0;  // what a query costs a piece: packing it, and merging its result
constexpr int    SHARES = 3;       // pieces a thread where there is much to do, since some threads are slower
constexpr double NEARLY = 1.04;    // how much more time they may take
constexpr double LITTLE = 0.9;     // of one thread's time: saving less is not worth waking another
constexpr int    ROWS_A_GROUP = 512;
constexpr int    LARGEST_GROUP = 64; // bits of a signature
constexpr double THIN = 1.5;       // how many times too dear a tile is before its cells are listed

// A tile of a group, of the cache or of its list: which queries see some of it (first to last - 1), and its cost, 0 where none does.
struct Step {
    int    key, keys, first, last;
    double cost;
};

// Steps that lie side by side.
struct Run {
    bool              listed;
    std::vector<Step> steps;
    double            cost = 0;
    int               keys = 0;

    void add(const Step &step) {
        steps.push_back(step);
        cost += step.cost;
        keys += step.keys;
    }
};

int partial_queries(const Attention &a) { return (int)std::max<size_t>(2, PARTIAL / ((size_t)a.heads * a.latent * sizeof(float))); }

// How many groups queries form: fewer share the reading of cells more, more need less packing and merging for every thread to have work.
int group_count(const Attention &a, int threads) {
    double most = std::clamp(ROWS_A_GROUP / a.heads, 1, LARGEST_GROUP);
    if (threads > 1) {
        double pieces = threads * SHARES, even = std::sqrt(READING / a.heads * a.keys * a.queries / (OVERHEAD * pieces));
        double wanted = std::max(even, a.queries / pieces), fits = (double)partial_queries(a) / (2 * threads);
        most = std::clamp(std::min(wanted, fits), 1.0, most);
    }
    int size = (int)std::bit_floor((unsigned)most); // which numbers of queries are often multiples of
    return (a.queries + size - 1) / size;
}

// The first query of a group; groups are of equal size but for the kernel's blocks of 64 rows, which are not cut.
int first_of(const Attention &a, int index, int groups) {
    int block = std::max(1, 64 / a.heads), blocks = (a.queries + block - 1) / block;
    return std::min(a.queries, (int)((long)blocks * index / groups) * block);
}

// One tile of the cache for a group; `seen` counts cells that its queries see, each for itself.
Step step_of(const Attention &a, const Sight &sight, const Group &group, int tile, int &seen) {
    Step step{tile * sight.tile, sight.width(tile), 0, 0, 0};
    int open = 0, end = 0;
    seen = 0;
    for (int i = 0; i < group.queries; ++i) {
        Glimpse g = sight.of(group.query + i)[tile];
        if (g.count == 0) continue;
        if (open++ == 0) step.first = i;
        step.last = i + 1;
        end = std::max(end, (int)g.end);
        seen += g.count;
    }
    step.cost = open ? (open + READING / a.heads) * end : 0;
    return step;
}

// The tiles of a group as runs, thin ones apart where listing their cells saves more than it costs.
std::vector<Run> runs_of(const Attention &a, const Sight &sight, const Group &group) {
    int tiles = sight.tiles();
    std::vector<Step> steps(tiles);
    std::vector<char> thin(tiles);
    double saved = 0;
    for (int t = 0; t < tiles; ++t) {
        int seen;
        steps[t] = step_of(a, sight, group, t, seen);
        thin[t] = steps[t].cost > THIN * seen + READING / a.heads * steps[t].keys;
        if (thin[t]) saved += steps[t].cost - seen;
    }
    bool worth = saved > (sight.tile + 2 * OVERHEAD) * group.queries;
    std::vector<Run> runs;
    for (int t = 0; t < tiles; ++t) {
        if (steps[t].cost == 0) {
            if (!runs.empty() && !runs.back().listed) runs.back().add(steps[t]);
            continue;
        }
        bool listed = worth && thin[t];
        if (runs.empty() || runs.back().listed != listed) runs.push_back({listed, {}});
        runs.back().add(steps[t]);
    }
    return runs;
}

// Short runs between thin ones are listed too: copying them costs less than a piece of their own. All are, where runs are more than `most`.
void list_short(std::vector<Run> &runs, const Attention &a, const Group &group, int most) {
    auto listed = [](const Run &run) { return run.listed; };
    if (std::none_of(runs.begin(), runs.end(), listed)) return;
    for (Run &run : runs) run.listed |= READING / a.heads * run.keys < OVERHEAD * group.queries;
    bool many = std::count_if(runs.begin(), runs.end(), std::not_fn(listed)) + 1 > most;
    for (Run &run : runs) run.listed |= many;
}

// Cells by who sees them: a bit for each query of the group.
class Seers {
  public:
    void add(uint64_t seers, int32_t cell) {
        // Cells of the same few queries come again and again.
        Recent &recent = recent_[(seers * 0x9e3779b97f4a7c15u) >> 60];
        if (recent.seers != seers) recent = {seers, &found_[seers]};
        recent.cells->push_back(cell);
    }
    const std::map<uint64_t, std::vector<int32_t>> &found() const { return found_; }

  private:
    struct Recent {
        uint64_t              seers = 0;
        std::vector<int32_t> *cells = nullptr;
    };
    Recent                                   recent_[16];
    std::map<uint64_t, std::vector<int32_t>> found_;
};

// The cells of listed runs that anybody sees.
Seers seers_of(const Attention &a, const Group &group, const std::vector<Run> &runs) {
    Seers all;
    std::vector<uint64_t> seers;
    for (const Run &run : runs) {
        if (!run.listed) continue;
        for (const Step &step : run.steps) {
            seers.assign(step.keys, 0);
            for (int i = step.first; i < step.last; ++i) {
                const uint16_t *mask = mask_row(a, group.query + i) + step.key;
                for (int key = 0; key < step.keys; ++key) seers[key] |= (uint64_t)(mask[key] != HIDDEN) << i;
            }
            for (int key = 0; key < step.keys; ++key)
                if (seers[key]) all.add(seers[key], step.key + key);
        }
    }
    return all;
}

// Cells go to the end of the group's list, and tiles of them to the end of a run.
void append(Run &run, const Attention &a, Group &group, int tile, uint64_t seers, const std::vector<int32_t> &cells) {
    double reading = 2 * READING / a.heads;
    for (size_t at = 0; at < cells.size();) {
        if (run.steps.empty() || run.steps.back().keys == tile) run.add({(int)group.list.size(), 0, LARGEST_GROUP, 0, 0});
        Step &step = run.steps.back();
        int count = (int)std::min<size_t>(tile - step.keys, cells.size() - at);
        step.keys += count;
        step.first = std::min(step.first, std::countr_zero(seers));
        step.last = std::max(step.last, LARGEST_GROUP - std::countl_zero(seers));
        step.cost += (std::popcount(seers) + reading) * count; // a tile that two see parts of costs more, but there are few
        run.cost += (std::popcount(seers) + reading) * count;
        group.list.insert(group.list.end(), cells.begin() + (long)at, cells.begin() + (long)at + count);
        at += count;
    }
}

// Many cells of queries that follow each other: worth pieces for these alone.
bool apart(const Attention &a, uint64_t seers, size_t cells) {
    int queries = LARGEST_GROUP - std::countl_zero(seers) - std::countr_zero(seers);
    return queries == std::popcount(seers) && (double)cells > 4 * OVERHEAD && 64 / a.heads <= 1;
}

// Listed runs become others of the group's list, up to `most` in all with those that are not.
void gather(std::vector<Run> &runs, const Attention &a, Group &group, int tile, int most) {
    if (std::none_of(runs.begin(), runs.end(), [](const Run &run) { return run.listed; })) return;
    Seers all = seers_of(a, group, runs);
    const auto &cells = all.found();
    std::erase_if(runs, [](const Run &run) { return run.listed; });
    int parts = (int)std::count_if(cells.begin(), cells.end(), [&](const auto &of) { return apart(a, of.first, of.second.size()); });
    bool split = (int)runs.size() + parts + 1 <= most;
    Run mixed{true, {}};
    for (const auto &[seers, list] : cells) {
        if (split && apart(a, seers, list.size())) {
            Run run{true, {}};
            append(run, a, group, tile, seers, list);
            runs.push_back(std::move(run));
        }
    }
    for (const auto &[seers, list] : cells)
        if (!split || !apart(a, seers, list.size())) append(mixed, a, group, tile, seers, list);
    if (!mixed.steps.empty()) runs.push_back(std::move(mixed));
}

// Runs of all groups, each found by one thread.
std::vector<std::vector<Run>> tiles_of(const Attention &a, const Sight &sight, std::vector<Group> &groups, int slots, Team &team) {
    std::vector<std::vector<Run>> runs(groups.size());
    std::atomic<size_t> next{0};
    auto work = [&](int) {
        for (size_t i; (i = next.fetch_add(1, std::memory_order_relaxed)) < groups.size();) {
            runs[i] = runs_of(a, sight, groups[i]);
            list_short(runs[i], a, groups[i], slots);
            gather(runs[i], a, groups[i], sight.unit, slots);
        }
    };
    if (groups.size() == 1 || (long)a.queries * a.keys < READ_ALONE) {
        work(0);
    } else {
        team.run(work);
    }
    return runs;
}

// Steps of a run become a piece, without those at its ends that nobody sees.
void put(std::vector<Piece> &out, int index, const Group &group, const Run &run, size_t from, size_t to) {
    while (from < to && run.steps[from].cost == 0) ++from;
    while (from < to && run.steps[to - 1].cost == 0) --to;
    if (from == to) return;
    int first = group.queries, last = 0;
    double cost = 0;
    for (size_t i = from; i < to; ++i) {
        if (run.steps[i].cost == 0) continue;
        first = std::min(first, run.steps[i].first);
        last = std::max(last, run.steps[i].last);
        cost += run.steps[i].cost;
    }
    const Step &begin = run.steps[from], &end = run.steps[to - 1];
    out.push_back({index, group.query + first, last - first, begin.key, end.key + end.keys - begin.key, run.listed, 0,
                   cost + OVERHEAD * (last - first)});
}

double cost_of(const std::vector<Run> &runs) {
    return std::accumulate(runs.begin(), runs.end(), 0.0, [](double cost, const Run &run) { return cost + run.cost; });
}

// A group in about `ranges` pieces of equal cost.
std::vector<Piece> cut(int index, const Group &group, const std::vector<Run> &runs, int ranges) {
    double all = cost_of(runs), done = 0;
    std::vector<Piece> pieces;
    int next = 1;
    for (const Run &run : runs) {
        size_t from = 0;
        for (size_t i = 0; i < run.steps.size(); ++i) {
            done += run.steps[i].cost;
            double border = all * next / ranges, coming = i + 1 < run.steps.size() ? run.steps[i + 1].cost : 0;
            if (next >= ranges || done + coming / 2 < border) continue;
            put(pieces, index, group, run, from, i + 1);
            from = i + 1;
            next = std::max(next + 1, (int)(done * ranges / all) + 1);
        }
        put(pieces, index, group, run, from, run.steps.size());
    }
    return pieces;
}

// Each piece's slot: the next free one of its queries. Where theirs differ the piece falls into several.
void place(std::vector<Piece> &pieces, Group &group, std::vector<Piece> &out) {
    std::stable_sort(pieces.begin(), pieces.end(), [](const Piece &x, const Piece &y) { return x.queries > y.queries; });
    group.slots.assign(group.queries, 0);
    for (const Piece &whole : pieces) {
        int end = whole.query + whole.queries - group.query;
        for (int from = whole.query - group.query, to; from < end; from = to) {
            int slot = group.slots[from];
            for (to = from; to < end && group.slots[to] == slot; ++to) ++group.slots[to];
            Piece part = whole;
            part.query = group.query + from;
            part.queries = to - from;
            part.slot = slot;
            part.cost *= (double)part.queries / whole.queries;
            out.push_back(part);
        }
    }
    group.most = *std::max_element(group.slots.begin(), group.slots.end());
}

// The time of `pieces` equal pieces, as a cost: in rounds of one piece a thread, none less than a tile, and with several a merge to follow.
double time_of(const Attention &a, const Sight &sight, double cost, double pieces, int threads, int group) {
    double least = std::min(cost, (1 + READING / a.heads) * sight.unit), packed = OVERHEAD * group;
    return std::ceil(pieces / threads) * (std::max(cost / pieces, least) + packed) + (pieces > 1 ? packed / 3 : 0);
}

// In how many ranges to divide each group: what takes least time, or more, up to SHARES pieces a thread, where that costs next to nothing.
int ranges_of(const Attention &a, const Sight &sight, double cost, int groups, int threads, int group, int most) {
    if (threads == 1) return 1;
    int usual = (threads * SHARES + groups - 1) / groups, best = 1;
    auto time = [&](int ranges) { return time_of(a, sight, cost, (double)groups * ranges, threads, group); };
    double least = groups > 1 ? time(1) : LITTLE * time(1);
    for (int ranges = 2; ranges <= std::min(2 * usual, most); ++ranges) {
        if (time(ranges) >= least) continue;
        best = ranges;
        least = time(ranges);
    }
    for (int ranges = std::min(usual, most); ranges > best; --ranges)
        if (time(ranges) <= NEARLY * least) return ranges;
    return best;
}

} // namespace

int wave(const Attention &a) { return partial_queries(a) / 2; }

Division divide(const Attention &a, const Sight &sight, int threads, Team &team) {
    Division d;
    int count = group_count(a, threads), size = (a.queries + count - 1) / count, slots = std::max(2, partial_queries(a) / a.queries);
    for (int i = 0; i < count; ++i) {
        int query = first_of(a, i, count), end = first_of(a, i + 1, count);
        if (query < end) d.groups.push_back({query, end - query, {}, {}, 0, 0});
    }
    std::vector<std::vector<Run>> runs = tiles_of(a, sight, d.groups, slots, team);
    for (const auto &of : runs) d.cost += cost_of(of);
    int groups = (int)d.groups.size(), usual = ranges_of(a, sight, d.cost, groups, threads, size, slots);
    double target = usual > 1 ? d.cost / groups / usual : std::max(d.cost / groups, d.cost / threads);
    for (size_t i = 0; i < d.groups.size(); ++i) {
        Group &group = d.groups[i];
        double cost = cost_of(runs[i]);
        // A run more than one is a piece more.
        int most = slots - std::max(0, (int)runs[i].size() - 1), ranges = std::max(1, (int)std::lround(cost / target));
        std::vector<Piece> pieces = cut((int)i, group, runs[i], std::min(ranges, std::max(1, most)));
        place(pieces, group, d.pieces);
        group.place = d.rows;
        if (group.most > 1) d.rows += (size_t)group.most * group.queries * a.heads;
        d.lists |= !group.list.empty();
    }
    for (const Piece &piece : d.pieces) d.largest = std::max(d.largest, piece.queries);
    std::stable_sort(d.pieces.begin(), d.pieces.end(), [](const Piece &x, const Piece &y) { return x.cost > y.cost; });
    return d;
}

} // namespace kimicode
