// One head's part of the expanded form (expanded.hpp), tile by tile.
//
// First the head's bases, the queries in the keys' basis, packed. Then every tile of cells is made into the head's keys and values, [key]
// [columns], and met by all blocks of queries: scores, softmax and sums as in tile.hpp, but rows are the queries of one head, each with a
// mask of its own. Last, sums are divided and taken back to `latent` values. All products are one: packed rows in the lanes, other rows one
// value for all lanes.

#pragma once

#include "basis.hpp"
#include "expanded_rows.hpp"

namespace kimicode {

template <class A> struct ExpandedTile {
    using R = ExpandedRows<A>;
    using Packed = typename R::Packed;
    using Plain = typename R::Plain;
    using Word = int32_t;

    static constexpr int lanes = A::lanes, group = A::group;
    static constexpr int TILE = 96 * group;
    static constexpr int PANEL = A::row_vectors * lanes;
    static constexpr int WIDE = A::column_vectors * lanes;
    static constexpr int STEP = A::key_rows * group;           // cells: whole blocks of products, and whole words
    static constexpr int KEYS = STEP * ((TILE + STEP - 1) / STEP); // cells of a tile
    static constexpr int CHUNK = STEP * ((BLOCK + STEP - 1) / STEP);
    static constexpr int ALIGNED = 64; // values: a whole number of panels, of words of vectors, of columns
    static constexpr int APART = 16;   // more between rows, or they would share few places of the cache
    static_assert(BLOCK % PANEL == 0 && ALIGNED % PANEL == 0 && ALIGNED % WIDE == 0 && ALIGNED % (group * lanes) == 0);
    static_assert(KEYS >= CHUNK);

    struct State {
        const Attention &a;
        const Expansion &e;
        const Part &part;
        int    key_rank, value_rank, ranks, rotated, width, value_stride, blocks; // ranks rounded up to ALIGNED; width: of a query and key
        float *bases, *line;                                                      // [ranks][latent] and the way there
        Packed expand, back, q;
        Plain  cells, keys, results;
        typename R::Room room;
        float *wide, *turned;                                      // products [row][ranks]; the rotated parts of keys
        float *sums, *peak, *total, *scores, *keep, *add, *block;  // block: rows of one block of queries
        Word  *weights, *values;                                   // values: [key group][value]
        float *value_scale;
        size_t bytes = 0;

        State(const Attention &a_, const Expansion &e_, const Part &part_, std::byte *base) : a(a_), e(e_), part(part_) {
            auto take = [&](auto *&at, size_t count) {
                at = reinterpret_cast<std::remove_reference_t<decltype(at)>>(base + bytes);
                bytes += (count * 4 + 63) / 64 * 64 + 64; // 64 more: sizes that are powers of two would share few places of the cache
            };
            auto take_rows = [&](auto &rows, int count, Chunks chunks) {
                rows.chunks = chunks;
                take(rows.words, (size_t)count * chunks.width);
                take(rows.scale, (size_t)count * chunks.count);
            };
            key_rank = R::round_up(e.keys.width, ALIGNED);
            value_rank = R::round_up(e.values.rows, ALIGNED);
            ranks = key_rank + value_rank;
            rotated = a.width - a.latent;
            width = R::round_up(key_rank + rotated, group * lanes);
            value_stride = value_rank + APART;
            blocks = (part.queries + BLOCK - 1) / BLOCK;
            Chunks latents = R::chunks_of(a.latent, a.latent), asked = R::chunks_of(width, key_rank), means = R::chunks_of(value_rank, value_rank);
            take(bases, (size_t)ranks * (a.latent + APART));
            take(line, a.latent);
            take_rows(expand, expand.rows = ranks, latents);
            take_rows(back, back.rows = a.latent, means);
            take_rows(q, q.rows = blocks * BLOCK, asked);
            take_rows(cells, KEYS, latents);
            take_rows(keys, KEYS, asked);
            take_rows(results, CHUNK, means);
            for (float *&row : room.row) take(row, (size_t)a.width + width + a.latent);
            take(room.words, (size_t)std::max(width, a.latent) * group);
            take(room.scale, (size_t)a.latent);
            take(values, (size_t)KEYS / group * value_stride);
            take(value_scale, KEYS);
            take(wide, (size_t)KEYS * ranks);
            take(turned, (size_t)KEYS * rotated);
            take(sums, (size_t)blocks * BLOCK * value_rank);
            take(peak, (size_t)blocks * BLOCK);
            take(total, (size_t)blocks * BLOCK);
            take(scores, (size_t)KEYS * BLOCK);
            take(weights, (size_t)KEYS * BLOCK / group);
            take(keep, BLOCK);
            take(add, BLOCK);
            take(block, (size_t)CHUNK * std::max(a.latent, width));
        }

        const uint16_t *mask_of(int query) const {
            return reinterpret_cast<const uint16_t *>(a.mask + (size_t)(part.query + query) * a.mask_query);
        }
        const float *query_of(int query) const {
            return reinterpret_cast<const float *>(a.q + (size_t)(part.query + query) * a.q_query + (size_t)part.head * a.q_head);
        }
    };

    static size_t scratch(const Attention &a, const Expansion &e, int queries) {
        Part part{0, 0, queries};
        return State(a, e, part, nullptr).bytes;
    }

    static bool compute(const Attention &a, const Expansion &e, const Part &part, const Seen *seen, std::byte *scratch) {
        State t(a, e, part, scratch);
        if (!make_bases(t)) return false;
        pack_queries(t);
        size_t rows = (size_t)t.blocks * BLOCK;
        std::fill_n(t.sums, rows * t.value_rank, 0.0f);
        std::fill_n(t.peak, rows, NOTHING);
        std::fill_n(t.total, rows, 0.0f);
        int tiles = (a.keys + KEYS - 1) / KEYS;
        seen += (size_t)(part.query / BLOCK) * tiles;
        for (int tile = 0; tile < tiles; ++tile) {
            int first = tile * KEYS, count = std::min(KEYS, a.keys - first);
            bool expanded = false;
            for (int block = 0; block < t.blocks; ++block) {
                Seen sees = seen[(size_t)block * tiles + tile];
                if (sees == Seen::nothing) continue;
                if (!expanded) expand_cells(t, first, count);
                expanded = true;
                block_step(t, block, first, count, sees == Seen::some);
            }
        }
        for (int block = 0; block < t.blocks; ++block) finish(t, block);
        return true;
    }

    static __attribute__((noinline)) bool make_bases(State &t) {
        int latent = t.a.latent;
        Rows keys{t.bases, latent, latent + APART}, values{keys[t.key_rank], latent, keys.stride};
        std::fill_n(t.bases, (size_t)t.ranks * keys.stride, 0.0f);
        rows_of(t.e.keys, t.part.head, true, keys, t.line);
        rows_of(t.e.values, t.part.head, false, values, t.line);
        if (!Basis<lanes>::orthonormalise(keys, t.e.keys.width) || !Basis<lanes>::orthonormalise(values, t.e.values.rows)) return false;
        R::pack([&](int i) { return keys[i]; }, t.ranks, t.ranks, 1, t.expand);
        for (int first = 0; first < latent; first += BLOCK) {
            for (int j = 0; j < t.value_rank; ++j)
                for (int i = 0; i < BLOCK; ++i) t.block[(size_t)i * t.value_rank + j] = values[j][first + i];
            R::pack([&](int i) { return t.block + (size_t)i * t.value_rank; }, BLOCK, BLOCK, 1, t.back.from(first));
        }
        return true;
    }

    // The queries in the keys' basis, then their rotated parts.
    static __attribute__((noinline)) void pack_queries(State &t) {
        int latent = t.a.latent;
        float factor = t.a.scale * LOG2_E; // scores in base 2
        for (int block = 0; block < t.blocks; ++block) {
            int base = block * BLOCK, count = std::min(BLOCK, t.part.queries - base);
            R::encode([&](int i, float *) { return t.query_of(base + i); }, count, t.room, t.cells);
            R::product(t.expand, t.key_rank, t.cells, count, t.wide, t.ranks);
            for (int i = 0; i < count; ++i) {
                float *row = t.block + (size_t)i * t.width;
                std::copy_n(t.wide + (size_t)i * t.ranks, t.key_rank, row);
                std::copy_n(t.query_of(base + i) + latent, t.rotated, row + t.key_rank);
                std::fill(row + t.key_rank + t.rotated, row + t.width, 0.0f);
            }
            R::pack([&](int i) { return t.block + (size_t)i * t.width; }, count, BLOCK, factor, t.q.from(base));
        }
    }

    // The tile's cells as keys and values of the head.
    static __attribute__((noinline)) void expand_cells(State &t, int first, int count) {
        const Attention &a = t.a;
        auto cell = [&](int i, float *room) {
            A::read_cell(a.cells + (size_t)(first + i) * a.cell_stride, a.cell, a.width, room);
            std::copy_n(room + a.latent, t.rotated, t.turned + (size_t)i * t.rotated);
            return room;
        };
        R::encode(cell, count, t.room, t.cells);
        R::product(t.expand, t.ranks, t.cells, count, t.wide, t.ranks);
        auto key = [&](int i, float *room) {
            std::copy_n(t.wide + (size_t)i * t.ranks, t.key_rank, room);
            std::copy_n(t.turned + (size_t)i * t.rotated, t.rotated, room + t.key_rank);
            std::fill(room + t.key_rank + t.rotated, room + t.width, 0.0f);
            return room;
        };
        R::encode(key, count, t.room, t.keys);
        encode_values(t, count);
    }

    // As `encode`, but where the arithmetic has words along the keys, in that order.
    static __attribute__((noinline)) void encode_values(State &t, int count) {
        int padded = R::round_up(count, group);
        for (int key = 0; key < padded; key += group) {
            float *pair[2];
            for (int i = 0; i < group; ++i) {
                pair[i] = t.wide + (size_t)(key + i) * t.ranks + t.key_rank;
                if (key + i >= count) std::fill_n(pair[i], t.value_rank, 0.0f);
            }
            Word *out = t.values + (size_t)key / group * t.value_stride;
            if constexpr (A::scaled) {
                A::encode_apart(pair, t.results.chunks.width, t.results.chunks.chunk, t.value_rank, t.room.words, out, t.room.scale, t.value_scale + key);
            } else {
                A::copy_cell(pair[0], t.results.chunks.width, out);
            }
        }
    }

    // Scores, softmax and sums of one block of queries with the tile.
    static void block_step(State &t, int block, int first, int count, bool masked) {
        int base = block * BLOCK, rows = std::min(BLOCK, t.part.queries - base);
        R::product(t.q.from(base), R::round_up(rows, PANEL), t.keys, count, t.scores, BLOCK);
        if (masked) hide(t, base, rows, first, count);
        for (int row = 0; row < rows; row += lanes)
            soften<A>(t.scores + row, BLOCK, count, t.value_scale, t.weights + row, t.peak + base + row, t.total + base + row, t.keep + row, t.add + row);
        accumulate<A>(t.weights, BLOCK, t.values, t.value_stride, R::round_up(count, group) / group, t.keep, t.add,
                      t.sums + (size_t)base * t.value_rank, t.value_rank, rows, t.value_rank);
    }

    static __attribute__((noinline)) void hide(State &t, int base, int rows, int first, int count) {
        for (int row = 0; row < rows; ++row) {
            const uint16_t *mask = t.mask_of(base + row) + first;
            for (int key = 0; key < count; ++key)
                if (mask[key] & 0x7fff) t.scores[(size_t)key * BLOCK + row] += half_to_float(mask[key]) * LOG2_E;
        }
    }

    // A block's results, taken back to `latent` values.
    static __attribute__((noinline)) void finish(State &t, int block) {
        int base = block * BLOCK, rows = std::min(BLOCK, t.part.queries - base), latent = t.a.latent;
        auto mean = [&](int i, float *) {
            float *row = t.sums + (size_t)(base + i) * t.value_rank, total = t.total[base + i];
            float factor = total > 0 ? 1 / total : 0;
            for (int j = 0; j < t.value_rank; ++j) row[j] *= factor;
            return row;
        };
        R::encode(mean, rows, t.room, t.results);
        R::product(t.back, latent, t.results, rows, t.block, latent);
        for (int i = 0; i < rows; ++i) {
            size_t row = (size_t)(t.part.query + base + i) * t.a.heads + t.part.head;
            std::copy_n(t.block + (size_t)i * latent, latent, t.a.out + row * latent);
        }
    }
};

template <class A> constexpr ExpandedKernel expanded_of = {ExpandedTile<A>::KEYS, ExpandedTile<A>::scratch, ExpandedTile<A>::compute};

} // namespace kimicode
