// The pieces that divide() makes, computed by a team, and their results merged.

#include "attention.hpp"
#include "division.hpp"
#include "memory.hpp"
#include "team.hpp"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstring>
#include <new>
#include <vector>

namespace kimicode {
namespace {

constexpr int    CHUNK = 1024;        // listed cells that are copied at a time
constexpr double ALONE = 2e6;         // operations that one thread has done before others are awake
constexpr int    MERGED_ROWS = 16;    // of one job
constexpr int    AHEAD = 3;           // cells between the one that is copied and the one that is fetched

size_t aligned(size_t bytes, size_t to) { return (bytes + to - 1) / to * to; }

// One call: the division of its work, and where everything lies.
class Job {
  public:
    Job(const Attention &a, const Kernel &kernel, Team &team) : a_(a), kernel_(kernel), team_(team) {
        int tile = kernel.keys;
        d_ = divide(a, look(a, tile, team.threads(), team), team.threads(), team);
        chunk_ = std::max(1, CHUNK / tile) * tile;
        for (const Group &group : d_.groups)
            for (int i = 0; i < group.queries; ++i)
                if (group.most > 1 || group.slots[i] == 0) merges_.push_back({&group, i});
    }

    void run(Block &memory) {
        place(memory);
        each(d_.pieces.size(), d_.cost * a_.heads * (a_.width + a_.latent) * 2, [&](size_t i, int member) { compute(d_.pieces[i], member); });
        size_t parts = ((size_t)a_.heads + MERGED_ROWS - 1) / MERGED_ROWS;
        each(merges_.size() * parts, 2.0 * d_.rows * a_.latent, [&](size_t i, int) { merge(merges_[i / parts], (int)(i % parts) * MERGED_ROWS); });
    }

  private:
    struct Merge {
        const Group *group;
        int          query; // of the group
    };

    // Sums and statistics of rows that follow each other.
    struct Rows {
        float *sums, *peak, *total;
    };

    template <class Work> void each(size_t count, double operations, const Work &work) {
        if (count == 0) return;
        std::atomic<size_t> next{0};
        auto loop = [&](int member) {
            for (size_t i; (i = next.fetch_add(1, std::memory_order_relaxed)) < count;) work(i, member);
        };
        if (operations < ALONE) {
            loop(0);
        } else {
            team_.run(loop);
        }
    }

    // Each thread writes to its own part first, so that it lies near it; parts are whole huge pages for that.
    void place(Block &memory) {
        size_t rows = (size_t)d_.largest * a_.heads, end = kernel_.scratch(a_, d_.largest);
        auto take = [&](size_t bytes) {
            size_t start = aligned(end, 64);
            end = start + bytes;
            return start;
        };
        second_ = take(d_.lists ? rows * a_.latent * sizeof(float) : 0);
        cells_ = take(d_.lists ? chunk_ * cell_bytes(a_.cell, a_.width) : 0);
        mask_ = take(d_.lists ? (size_t)d_.largest * chunk_ * sizeof(uint16_t) : 0);
        member_ = aligned(end, Block::PAGE);
        rows_ = d_.rows + 2 * rows * team_.threads();
        size_t members = member_ * team_.threads();
        base_ = memory.reserve(members + (d_.rows * a_.latent + 2 * rows_) * sizeof(float));
        if (!base_) throw std::bad_alloc();
        sums_ = reinterpret_cast<float *>(base_ + members);
        peak_ = sums_ + d_.rows * a_.latent;
    }

    Rows partial(size_t row) const { return {sums_ + row * a_.latent, peak_ + row, peak_ + rows_ + row}; }

    // A thread's own rows, the first or second lot, with sums elsewhere.
    Rows own(int member, int lot, float *sums) const {
        float *peak = peak_ + d_.rows + ((size_t)member * 2 + lot) * d_.largest * a_.heads;
        return {sums, peak, peak + rows_};
    }

    float *out(int query) const { return a_.out + (size_t)query * a_.heads * a_.latent; }

    void compute(const Piece &piece, int member) const {
        const Group &group = d_.groups[piece.group];
        bool direct = group.most == 1;
        size_t row = group.place + ((size_t)piece.slot * group.queries + piece.query - group.query) * a_.heads;
        Rows rows = direct ? own(member, 0, out(piece.query)) : partial(row);
        std::byte *scratch = base_ + member_ * member;
        if (piece.listed) {
            compute_listed(piece, member, rows);
        } else {
            kernel_.share(a_, {piece.query, piece.queries, piece.key, piece.keys, rows.sums, rows.peak, rows.total}, scratch);
        }
        if (direct) merge_rows(rows, 1, 0, 0, (size_t)piece.queries * a_.heads, rows.sums);
    }

    void compute_listed(const Piece &piece, int member, const Rows &rows) const {
        std::byte *scratch = base_ + member_ * member;
        Rows more = own(member, 1, reinterpret_cast<float *>(scratch + second_));
        for (int at = 0; at < piece.keys; at += chunk_) {
            const Rows &target = at == 0 ? rows : more;
            int keys = std::min(chunk_, piece.keys - at);
            Attention part = copied(piece, at, keys, scratch);
            kernel_.share(part, {0, piece.queries, 0, keys, target.sums, target.peak, target.total}, scratch);
            if (at > 0) fold(rows, more, (size_t)piece.queries * a_.heads);
        }
    }

    // The piece's queries with some cells of its list, side by side.
    Attention copied(const Piece &piece, int at, int keys, std::byte *scratch) const {
        const int32_t *list = d_.groups[piece.group].list.data() + piece.key + at;
        size_t bytes = cell_bytes(a_.cell, a_.width);
        for (int i = 0; i < keys; ++i) {
            // No processor foresees where the next cell lies.
            const std::byte *ahead = a_.cells + (size_t)list[std::min(i + AHEAD, keys - 1)] * a_.cell_stride;
            for (size_t at = 0; at < bytes; at += 64) __builtin_prefetch(ahead + at);
            memcpy(scratch + cells_ + i * bytes, a_.cells + (size_t)list[i] * a_.cell_stride, bytes);
        }
        uint16_t *mask = reinterpret_cast<uint16_t *>(scratch + mask_);
        for (int query = 0; query < piece.queries; ++query) {
            const uint16_t *row = mask_row(a_, piece.query + query);
            for (int i = 0; i < keys; ++i) mask[(size_t)query * keys + i] = row[list[i]];
        }
        Attention part = a_;
        part.q += piece.query * a_.q_query;
        part.cells = scratch + cells_;
        part.cell_stride = bytes;
        part.mask = scratch + mask_;
        part.mask_query = keys * sizeof(uint16_t);
        part.out = nullptr;
        part.queries = piece.queries;
        part.keys = keys;
        return part;
    }

    // Further results of the same rows into `rows`, whose sums are then divided by their total, which is 1 therefore.
    void fold(const Rows &rows, const Rows &more, size_t count) const {
        merge_rows(rows, 2, more.sums - rows.sums, more.peak - rows.peak, count, rows.sums);
        for (size_t i = 0; i < count; ++i) {
            float peak = std::max(rows.peak[i], more.peak[i]);
            float total = rows.total[i] * std::exp2(rows.peak[i] - peak) + more.total[i] * std::exp2(more.peak[i] - peak);
            rows.peak[i] = total > 0 ? peak + std::log2(total) : NOTHING;
            rows.total[i] = total > 0 ? 1.0f : 0.0f;
        }
    }

    void merge(const Merge &m, int head) const {
        const Group &group = *m.group;
        float *result = out(group.query + m.query) + (size_t)head * a_.latent;
        int count = std::min(MERGED_ROWS, a_.heads - head);
        size_t stride = (size_t)group.queries * a_.heads;
        if (group.slots[m.query] == 0) {
            std::fill_n(result, (size_t)count * a_.latent, 0.0f);
        } else {
            merge_rows(partial(group.place + (size_t)m.query * a_.heads + head), group.slots[m.query], stride * a_.latent, stride, count, result);
        }
    }

    void merge_rows(const Rows &rows, int count, size_t stride, size_t row_stride, size_t number, float *result) const {
        kernel_.merge({0, 0, 0, 0, rows.sums, rows.peak, rows.total}, count, stride, row_stride, number, a_.latent, result);
    }

    const Attention    &a_;
    const Kernel       &kernel_;
    Team               &team_;
    Division            d_;
    std::vector<Merge>  merges_;
    std::byte          *base_ = nullptr;
    float              *sums_ = nullptr, *peak_ = nullptr; // totals lie `rows_` behind peaks
    size_t              member_ = 0, second_ = 0, cells_ = 0, mask_ = 0, rows_ = 0;
    int                 chunk_ = 0;
};

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

void attend(const Attention &a, const Kernel &kernel, Team &team, Block &memory) {
    int step = wave(a);
    for (int query = 0; query < a.queries; query += step) {
        Attention part = a;
        part.queries = std::min(step, a.queries - query);
        part.q += query * a.q_query;
        part.out += (size_t)query * a.heads * a.latent;
        if (a.mask) part.mask += query * a.mask_query;
        Job(part, kernel, team).run(memory);
    }
}

void attend(const Attention &a, const Kernel &kernel, Team &team) {
    static thread_local Block memory;
    attend(a, kernel, team, memory);
}

} // namespace kimicode
