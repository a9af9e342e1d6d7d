// One share of latent attention, tile by tile: scores, softmax and sums over tiles of KEYS cells, kept in the processor's caches.
//
// A tile's cells are read once, into K, [key][word], and V, [key group][column]; a word is 32 bits: one f32, or two 16-bit values that one
// instruction multiplies and adds (pairs along the cell in K, along the keys in V). Scores of a block of ROWS rows are a matrix product with
// rows in the lanes, Q being packed [word][row]; the softmax then needs no sum across lanes. Sums are a second product with columns in the
// lanes. Each tile has a softmax of its own, relative to its own greatest score, so that 16-bit weights lose nothing to a far greater score
// in another tile; tiles are merged as shares are.
//
// `A` is the arithmetic: lanes, words, products, and how values become words. See arithmetic.hpp.

#pragma once

#include "attention.hpp"
#include "products.hpp"
#include "vector.hpp"

#include <algorithm>
#include <cmath>

namespace kimicode {

constexpr int ROWS = 64; // rows of a block; K2's heads, so that a block is one query

template <class A> struct Tile {
    using L = Lanes<A::lanes>;
    using F = typename L::F;
    using I = typename L::I;
    using Word = int32_t;

    static constexpr int lanes = A::lanes;
    static constexpr int group = A::group;               // values of a word
    static constexpr int KEYS = A::keys;                 // cells of a tile
    static constexpr int PANEL = A::row_vectors * lanes; // rows of a panel of Q
    static_assert(ROWS % PANEL == 0 && KEYS % A::key_rows == 0 && KEYS % group == 0);

    // Where everything of one share lies in its scratch memory.
    struct Plan {
        int    words, chunk, chunks, columns, rows, blocks; // chunk: words of a cell that share a scale
        size_t q, q_scale, k, k_scale, v, v_scale, scores, weights, keep, add, mask, row, bytes;

        Plan(const Attention &a, int queries) {
            words = round_up(a.width, group * lanes) / group;
            chunk = words;
            if constexpr (A::scaled) chunk = A::chunk_of(a.latent);
            chunks = (words + chunk - 1) / chunk;
            columns = a.latent + 16; // not a power of two: it would leave most of the first cache unused
            rows = queries * a.heads;
            blocks = (rows + ROWS - 1) / ROWS;
            size_t end = 0;
            auto take = [&](size_t count) {
                size_t start = end;
                end += (count * sizeof(Word) + 63) / 64 * 64;
                return start;
            };
            q = take((size_t)blocks * ROWS * words);
            q_scale = take((size_t)blocks * ROWS * chunks);
            k = take((size_t)KEYS * words);
            k_scale = take((size_t)KEYS * chunks);
            v = take(A::own_values ? (size_t)KEYS / group * columns : 0);
            v_scale = take(KEYS);
            scores = take((size_t)KEYS * ROWS);
            weights = take((size_t)KEYS / group * ROWS);
            keep = take(ROWS);
            add = take(ROWS);
            mask = take(KEYS);
            row = take((size_t)std::max(words * group, columns) * 2 + 2 * lanes);
            bytes = end;
        }
    };

    static int round_up(int value, int step) { return (value + step - 1) / step * step; }

    static size_t scratch(const Attention &a, int queries) { return Plan(a, queries).bytes; }

    struct State {
        const Attention &a;
        const Share &s;
        Plan plan;
        std::byte *base;

        Word *words(size_t at) const { return reinterpret_cast<Word *>(base + at); }
        float *floats(size_t at) const { return reinterpret_cast<float *>(base + at); }
    };

    static void share(const Attention &a, const Share &s, std::byte *scratch) {
        State t{a, s, Plan(a, s.queries), scratch};
        pack_queries(t);
        size_t rows = (size_t)s.queries * a.heads;
        std::fill_n(s.sums, rows * a.latent, 0.0f);
        std::fill_n(s.peak, rows, NOTHING);
        std::fill_n(s.total, rows, 0.0f);
        for (int start = 0; start < s.keys; start += KEYS) {
            int first = s.key + start;
            int count = seen(t, first, std::min(KEYS, s.keys - start));
            if (count == 0) continue;
            load_cells(t, first, count);
            for (int block = 0; block < t.plan.blocks; ++block) block_step(t, block, first, count);
        }
    }

    // How many of `count` cells from `first` on must be looked at: up to the last that any query sees.
    static int seen(const State &t, int first, int count) {
        if (!t.a.mask) return count;
        int last = 0;
        for (int query = 0; query < t.s.queries && last < count; ++query) {
            const uint16_t *mask = mask_of(t, t.s.query + query) + first;
            for (int key = count; key > last; --key) {
                if (mask[key - 1] != 0xfc00) {
                    last = key;
                    break;
                }
            }
        }
        return last;
    }

    static const uint16_t *mask_of(const State &t, int query) {
        return reinterpret_cast<const uint16_t *>(t.a.mask + (size_t)query * t.a.mask_query);
    }

    // Q as words, [panel][word][row of the panel], and scales, [chunk][row]; rows that don't exist are zero.
    static __attribute__((noinline)) void pack_queries(State &t) {
        const Plan &p = t.plan;
        Word *out = t.words(p.q);
        int rows = p.blocks * ROWS;
        float *scales = t.floats(p.q_scale);
        std::fill_n(scales, (size_t)rows * p.chunks, 0.0f);
        float factor = t.a.scale * LOG2_E; // scores in base 2
        for (int first = 0; first < rows; first += lanes) {
            Word *target = out + (size_t)(first / PANEL) * PANEL * p.words + first % PANEL;
            alignas(64) Word packed[lanes][lanes];
            for (int word = 0; word < p.words; word += lanes) {
                memset(packed, 0, sizeof packed);
                float *scale = scales + (size_t)(word / p.chunk) * rows + first;
                for (int i = 0; i < lanes && first + i < p.rows; ++i) {
                    const float *source = row_of(t, first + i) + (size_t)word * group;
                    int left = t.a.width - word * group;
                    if (word % p.chunk == 0) scale[i] = A::row_scale(source, std::min(p.chunk * group, left), factor);
                    A::encode_words(source, std::min(lanes * group, left), factor, scale[i], packed[i]);
                }
                typename L::I column[lanes];
                for (int i = 0; i < lanes; ++i) column[i] = L::load(packed[i]);
                L::transpose(column);
                for (int w = 0; w < lanes; ++w) L::store(target + (size_t)(word + w) * PANEL, column[w]);
            }
        }
        for (int i = 0; i < rows * p.chunks; ++i) scales[i] = A::result_scale(scales[i], factor);
    }

    static const float *row_of(const State &t, int row) {
        int query = t.s.query + row / t.a.heads, head = row % t.a.heads;
        return reinterpret_cast<const float *>(t.a.q + (size_t)query * t.a.q_query + (size_t)head * t.a.q_head);
    }

    // The tile's cells as K and V.
    static __attribute__((noinline)) void load_cells(State &t, int first, int count) {
        const Plan &p = t.plan;
        Word *k = t.words(p.k), *v = t.words(p.v);
        float *even = t.floats(p.row), *odd = even + std::max(p.words * group, p.columns) + lanes;
        int padded = round_up(round_up(count, A::key_rows), group);
        for (int key = 0; key < padded; key += group) {
            float *rows[2] = {even, odd};
            for (int i = 0; i < group; ++i) {
                float *row = rows[i];
                if (key + i < count) {
                    A::read_cell(t.a.cells + (size_t)(first + key + i) * t.a.cell_stride, t.a.cell, t.a.width, row);
                    std::fill(row + t.a.width, row + p.words * group, 0.0f);
                } else {
                    std::fill_n(row, p.words * group, 0.0f);
                }
            }
            Word *k_words = k + (size_t)key * p.words, *v_words = v + (size_t)(key / group) * p.columns;
            if constexpr (A::scaled) {
                A::encode_apart(rows, p.words, p.chunk, t.a.latent, k_words, v_words, t.floats(p.k_scale) + (size_t)key * p.chunks,
                                t.floats(p.v_scale) + key);
            } else {
                A::copy_cell(rows[0], p.words, k_words);
            }
        }
    }

    // Scores, softmax and sums of one block of rows with the tile.
    static void block_step(State &t, int block, int first, int count) {
        int base = block * ROWS, rows = std::min(ROWS, t.plan.rows - base);
        bool any = false, plain = true;
        if (t.a.mask) {
            for (int query = base / t.a.heads; query <= (base + rows - 1) / t.a.heads; ++query)
                look(mask_of(t, t.s.query + query) + first, count, any, plain);
            if (!any) return;
        }
        score(t, block, count, rows);
        if (!plain) hide(t, base, rows, first, count);
        soften_block(t, base, rows, count);
        add_values(t, base, rows, count);
    }

    static void look(const uint16_t *mask, int count, bool &any, bool &plain) {
        uint16_t differs = 0;
        bool open = false;
        for (int key = 0; key < count; ++key) {
            differs |= mask[key];
            open |= mask[key] != 0xfc00;
        }
        any |= open;
        plain &= (differs & 0x7fff) == 0;
    }

    // scores[key][row] for `count` keys, rounded up to the products' size.
    static __attribute__((noinline)) void score(State &t, int block, int count, int rows) {
        const Plan &p = t.plan;
        const Word *k = t.words(p.k);
        const float *k_scale = t.floats(p.k_scale), *q_scale = t.floats(p.q_scale) + (size_t)block * ROWS;
        float *scores = t.floats(p.scores);
        for (int panel = 0; panel * PANEL < rows; ++panel) {
            const Word *q = t.words(p.q) + ((size_t)block * ROWS + (size_t)panel * PANEL) * p.words;
            for (int key = 0; key < count; key += A::key_rows)
                multiply<A>({p.words, p.chunk, p.chunks}, q, k + (size_t)key * p.words, k_scale + (size_t)key * p.chunks,
                            q_scale + panel * PANEL, (size_t)p.blocks * ROWS, scores + (size_t)key * ROWS + panel * PANEL, ROWS);
        }
    }

    // Add the mask to the scores.
    static __attribute__((noinline)) void hide(State &t, int base, int rows, int first, int count) {
        float *scores = t.floats(t.plan.scores);
        for (int row = 0; row < rows;) {
            int query = (base + row) / t.a.heads;
            int end = std::min(rows, (query + 1) * t.a.heads - base);
            const uint16_t *mask = mask_of(t, t.s.query + query) + first;
            for (int key = 0; key < count; ++key) {
                if ((mask[key] & 0x7fff) == 0) continue;
                float add = half_to_float(mask[key]) * LOG2_E;
                for (int i = row; i < end; ++i) scores[(size_t)key * ROWS + i] += add;
            }
            row = end;
        }
    }

    // Scores become weights, and the rows' statistics go on.
    static __attribute__((noinline)) void soften_block(State &t, int base, int rows, int count) {
        const Plan &p = t.plan;
        float *scores = t.floats(p.scores), *keep = t.floats(p.keep), *add = t.floats(p.add);
        alignas(64) float peak[ROWS], total[ROWS]; // of whole vectors, which the share's own need not be
        std::copy_n(t.s.peak + base, rows, peak);
        std::copy_n(t.s.total + base, rows, total);
        std::fill(peak + rows, peak + ROWS, NOTHING);
        std::fill(total + rows, total + ROWS, 0.0f);
        for (int row = 0; row < rows; row += lanes)
            soften<A>(scores + row, ROWS, count, t.floats(p.v_scale), t.words(p.weights) + row, peak + row, total + row, keep + row, add + row);
        std::copy_n(peak, rows, t.s.peak + base);
        std::copy_n(total, rows, t.s.total + base);
    }

    static void add_values(State &t, int base, int rows, int count) {
        const Plan &p = t.plan;
        const Word *v = A::own_values ? t.words(p.v) : t.words(p.k);
        accumulate<A>(t.words(p.weights), ROWS, v, A::own_values ? p.columns : p.words, round_up(count, group) / group, t.floats(p.keep),
                      t.floats(p.add), t.s.sums + (size_t)base * t.a.latent, t.a.latent, rows, t.a.latent);
    }

    static void merge(const Share &first, int count, size_t stride, size_t row_stride, size_t rows, size_t latent, float *out) {
        for (size_t row = 0; row < rows; ++row) {
            float peak = NOTHING, total = 0;
            for (int i = 0; i < count; ++i) peak = std::max(peak, first.peak[i * row_stride + row]);
            float *target = out + row * latent;
            for (int i = 0; i < count; ++i) total += first.total[i * row_stride + row] * std::exp2(first.peak[i * row_stride + row] - peak);
            for (int i = 0; i < count; ++i) {
                float factor = total > 0 ? std::exp2(first.peak[i * row_stride + row] - peak) / total : 0.0f;
                const float *source = first.sums + i * stride + row * latent;
                for (size_t column = 0; column < latent; column += lanes) {
                    F value = L::load(source + column) * L::splat(factor);
                    L::store(target + column, i == 0 ? value : L::load(target + column) + value);
                }
            }
        }
    }
};

} // namespace kimicode
