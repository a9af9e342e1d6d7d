// One head's part of the expanded form (expanded.hpp), tile by tile.
//
// First the head's bases, the queries in the keys' basis, packed. Then every tile of cells is made into the head's keys and values, [key]
// [columns], and met by all blocks of queries: scores, softmax and sums as in tile.hpp, but rows are the queries of one head, each with a
// mask of its own. Last, sums are divided and taken back to `latent` values. All products are one: packed rows in the lanes, other rows one
// value for all lanes.

#pragma once

#include "arithmetic.hpp"
#include "basis.hpp"

namespace kimicode {

template <class A> struct ExpandedTile {
    using L = Lanes<A::lanes>;
    using F = typename L::F;
    using I = typename L::I;
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
    static constexpr float LOG2_E = 1.44269504f;
    static_assert(BLOCK % PANEL == 0 && ALIGNED % PANEL == 0 && ALIGNED % WIDE == 0 && ALIGNED % (group * lanes) == 0);
    static_assert(KEYS >= CHUNK);

    static int round_up(int value, int step) { return (value + step - 1) / step * step; }

    // Rows of `width` words; a chunk of words has a scale of its own, which its products must be multiplied with.
    struct Format {
        int width, chunk, chunks;

        Format() = default;
        // `apart`: so many values at the beginning share no chunk with the others.
        Format(int values, int apart) : width(values / group), chunk(width), chunks(1) {
            if constexpr (A::scaled) chunk = A::chunk_of(apart);
            chunks = (width + chunk - 1) / chunk;
        }
    };
    // Rows in the lanes: [panel][word][row of the panel], and scales [chunk][row of `rows`].
    struct Packed : Format {
        Word  *words;
        float *scale;
        int    rows;

        Packed from(int row) const { // a multiple of PANEL
            Packed part = *this;
            part.words += (size_t)row * this->width;
            part.scale += row;
            return part;
        }
    };
    // Rows that are one value for all lanes: [row][word], and scales [row][chunk].
    struct Plain : Format {
        Word  *words;
        float *scale;
    };

    struct State {
        const Attention &a;
        const Expansion &e;
        const Part &part;
        int     key_rank, value_rank, ranks, rotated, width, value_stride, blocks; // ranks rounded up to ALIGNED; width: of a query and key
        float  *bases, *line;                                        // [ranks][latent] and the way there
        Packed  expand, back, q;
        Plain   cells, keys, results;
        float  *wide, *row, *turned;                                 // products [row][ranks]; rows to encode; the rotated parts of keys
        float  *sums, *peak, *total, *scores, *keep, *add, *block; // block: rows of one block of queries
        Word   *weights, *values, *unused;                           // values: [key group][value]
        float  *value_scale, *unused_scale;
        size_t  bytes = 0;

        State(const Attention &a_, const Expansion &e_, const Part &part_, std::byte *base) : a(a_), e(e_), part(part_) {
            auto take = [&](auto *&at, size_t count) {
                at = reinterpret_cast<std::remove_reference_t<decltype(at)>>(base + bytes);
                bytes += (count * 4 + 63) / 64 * 64 + 64; // 64 more: sizes that are powers of two would share few places of the cache
            };
            auto take_packed = [&](Packed &rows, int count, Format format) {
                static_cast<Format &>(rows) = format;
                rows.rows = count;
                take(rows.words, (size_t)count * format.width);
                take(rows.scale, (size_t)count * format.chunks);
            };
            auto take_plain = [&](Plain &rows, int count, Format format) {
                static_cast<Format &>(rows) = format;
                take(rows.words, (size_t)count * format.width);
                take(rows.scale, (size_t)count * format.chunks);
            };
            key_rank = round_up(e.keys.width, ALIGNED);
            value_rank = round_up(e.values.rows, ALIGNED);
            ranks = key_rank + value_rank;
            rotated = a.width - a.latent;
            width = round_up(key_rank + rotated, group * lanes);
            blocks = (part.queries + BLOCK - 1) / BLOCK;
            take(bases, (size_t)ranks * (a.latent + APART));
            take(line, a.latent);
            Format latents(a.latent, a.latent), asked(width, key_rank), results_format(value_rank, value_rank);
            take_packed(expand, ranks, latents);
            take_packed(back, a.latent, results_format);
            take_packed(q, blocks * BLOCK, asked);
            take_plain(cells, KEYS, latents);
            take_plain(keys, KEYS, asked);
            value_stride = value_rank + APART;
            take(values, (size_t)KEYS / group * value_stride);
            take(value_scale, KEYS);
            take_plain(results, CHUNK, results_format);
            take(wide, (size_t)KEYS * ranks);
            take(row, (size_t)(a.width + width + a.latent) * 2);
            take(turned, (size_t)KEYS * rotated);
            take(sums, (size_t)blocks * BLOCK * value_rank);
            take(peak, (size_t)blocks * BLOCK);
            take(total, (size_t)blocks * BLOCK);
            take(scores, (size_t)KEYS * BLOCK);
            take(weights, (size_t)KEYS * BLOCK / group);
            take(keep, BLOCK);
            take(add, BLOCK);
            take(block, (size_t)CHUNK * std::max(a.latent, width));
            take(unused, (size_t)std::max(width, a.latent) * group);
            take(unused_scale, (size_t)a.latent);
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

    static bool compute(const Attention &a, const Expansion &e, const Part &part, const Sight *sight, std::byte *scratch) {
        State t(a, e, part, scratch);
        if (!make_bases(t)) return false;
        pack_queries(t);
        size_t rows = (size_t)t.blocks * BLOCK;
        std::fill_n(t.sums, rows * t.value_rank, 0.0f);
        std::fill_n(t.peak, rows, NOTHING);
        std::fill_n(t.total, rows, 0.0f);
        int tiles = (a.keys + KEYS - 1) / KEYS;
        sight += (size_t)(part.query / BLOCK) * tiles;
        for (int tile = 0; tile < tiles; ++tile) {
            int first = tile * KEYS, count = std::min(KEYS, a.keys - first);
            bool expanded = false;
            for (int block = 0; block < t.blocks; ++block) {
                Sight sees = sight[(size_t)block * tiles + tile];
                if (sees == Sight::nothing) continue;
                if (!expanded) expand_cells(t, first, count);
                expanded = true;
                block_step(t, block, first, count, sees == Sight::some);
            }
        }
        for (int block = 0; block < t.blocks; ++block) finish(t, block);
        return true;
    }

    // Rows as Packed; `source(i)` is row i; of `padded` rows those after the first `rows` are zeros.
    template <class Source> static void pack(Source source, int rows, int padded, float factor, const Packed &out) {
        for (int first = 0; first < padded; first += lanes) {
            Word *target = out.words + (size_t)(first / PANEL) * PANEL * out.width + first % PANEL;
            for (int word = 0; word < out.width; word += lanes) {
                float *scale = out.scale + (size_t)(word / out.chunk) * out.rows + first;
                if (word % out.chunk == 0) std::fill_n(scale, lanes, 0.0f);
                alignas(64) Word packed[lanes][lanes] = {};
                for (int i = 0; i < lanes && first + i < rows; ++i) {
                    const float *values = source(first + i) + (size_t)word * group;
                    int left = (out.width - word) * group;
                    if (word % out.chunk == 0) scale[i] = A::row_scale(values, std::min(left, out.chunk * group), factor);
                    A::encode_words(values, lanes * group, factor, scale[i], packed[i]);
                }
                I column[lanes];
                for (int i = 0; i < lanes; ++i) column[i] = L::load(packed[i]);
                L::transpose(column);
                for (int w = 0; w < lanes; ++w) L::store(target + (size_t)(word + w) * PANEL, column[w]);
            }
            for (int chunk = 0; chunk < out.chunks; ++chunk)
                for (int i = 0; i < lanes; ++i) {
                    float &scale = out.scale[(size_t)chunk * out.rows + first + i];
                    scale = A::result_scale(scale, factor);
                }
        }
    }

    // Rows as Plain; `source(i, room)` is row i, perhaps made in `room`. Rows up to the products' size are zeros.
    template <class Source> static void encode(State &t, Source source, int rows, const Plain &out) {
        float *room[2] = {t.row, t.row + t.a.width + t.width + t.a.latent};
        int padded = round_up(round_up(rows, A::key_rows), group);
        for (int first = 0; first < padded; first += group) {
            float *pair[2];
            for (int i = 0; i < group; ++i) {
                if (first + i >= rows) std::fill_n(room[i], out.width * group, 0.0f);
                pair[i] = first + i < rows ? const_cast<float *>(source(first + i, room[i])) : room[i];
            }
            Word *words = out.words + (size_t)first * out.width;
            if constexpr (A::scaled) {
                A::encode_apart(pair, out.width, out.chunk, 0, words, t.unused, out.scale + (size_t)first * out.chunks, t.unused_scale);
            } else {
                float unused = 0;
                A::encode_cells(pair, out.width, 0, words, t.unused, t.unused_scale, unused, unused);
            }
        }
    }

    // out[row of `b`][row of `p`] = their product, for `rows` rows of `b`, rounded up, and the first `packed_rows` of `p`.
    static __attribute__((noinline)) void product(const Packed &p, int packed_rows, const Plain &b, int rows, float *out, int stride) {
        for (int panel = 0; panel < packed_rows; panel += PANEL)
            for (int row = 0; row < rows; row += A::key_rows)
                product_part(p.from(panel), b, row, out + (size_t)row * stride + panel, stride);
    }

    static inline void product_part(const Packed &p, const Plain &b, int row, float *out, int stride) {
        constexpr int M = A::row_vectors, N = A::key_rows;
        const Word *words = b.words + (size_t)row * b.width;
        const float *scale = b.scale + (size_t)row * b.chunks;
        for (int chunk = 0; chunk < b.chunks; ++chunk) {
            typename A::Sum sum[N][M] = {};
            int end = std::min(b.width, (chunk + 1) * b.chunk);
            for (int word = chunk * b.chunk; word < end; ++word) {
                I rows[M];
#pragma GCC unroll 8
                for (int m = 0; m < M; ++m) rows[m] = L::load(p.words + (size_t)word * PANEL + m * lanes);
#pragma GCC unroll 8
                for (int n = 0; n < N; ++n) {
                    I value = L::splat(words[(size_t)n * b.width + word]);
#pragma GCC unroll 8
                    for (int m = 0; m < M; ++m) A::multiply_add(sum[n][m], rows[m], value);
                }
            }
            const float *p_scale = p.scale + (size_t)chunk * p.rows;
#pragma GCC unroll 8
            for (int n = 0; n < N; ++n)
#pragma GCC unroll 8
                for (int m = 0; m < M; ++m) {
                    float *target = out + (size_t)n * stride + m * lanes;
                    F value = A::value(sum[n][m]);
                    if (A::scaled) value = value * (L::splat(scale[n * b.chunks + chunk]) * L::load(p_scale + m * lanes));
                    L::store(target, chunk == 0 ? value : L::load(target) + value);
                }
        }
    }

    static __attribute__((noinline)) bool make_bases(State &t) {
        int latent = t.a.latent;
        Rows keys{t.bases, latent, latent + APART}, values{keys[t.key_rank], latent, keys.stride};
        std::fill_n(t.bases, (size_t)t.ranks * keys.stride, 0.0f);
        rows_of(t.e.keys, t.part.head, true, keys, t.line);
        rows_of(t.e.values, t.part.head, false, values, t.line);
        if (!Basis<lanes>::orthonormalise(keys, t.e.keys.width) || !Basis<lanes>::orthonormalise(values, t.e.values.rows)) return false;
        pack([&](int i) { return keys[i]; }, t.ranks, t.ranks, 1, t.expand);
        for (int first = 0; first < latent; first += BLOCK) {
            for (int j = 0; j < t.value_rank; ++j)
                for (int i = 0; i < BLOCK; ++i) t.block[(size_t)i * t.value_rank + j] = values[j][first + i];
            pack([&](int i) { return t.block + (size_t)i * t.value_rank; }, BLOCK, BLOCK, 1, t.back.from(first));
        }
        return true;
    }

    // The queries in the keys' basis, then their rotated parts.
    static __attribute__((noinline)) void pack_queries(State &t) {
        int latent = t.a.latent;
        float factor = t.a.scale * LOG2_E; // scores in base 2
        for (int block = 0; block < t.blocks; ++block) {
            int base = block * BLOCK, count = std::min(BLOCK, t.part.queries - base);
            encode(t, [&](int i, float *) { return t.query_of(base + i); }, count, t.cells);
            product(t.expand, t.key_rank, t.cells, count, t.wide, t.ranks);
            for (int i = 0; i < count; ++i) {
                float *row = t.block + (size_t)i * t.width;
                std::copy_n(t.wide + (size_t)i * t.ranks, t.key_rank, row);
                std::copy_n(t.query_of(base + i) + latent, t.rotated, row + t.key_rank);
                std::fill(row + t.key_rank + t.rotated, row + t.width, 0.0f);
            }
            pack([&](int i) { return t.block + (size_t)i * t.width; }, count, BLOCK, factor, t.q.from(base));
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
        encode(t, cell, count, t.cells);
        product(t.expand, t.ranks, t.cells, count, t.wide, t.ranks);
        auto key = [&](int i, float *room) {
            std::copy_n(t.wide + (size_t)i * t.ranks, t.key_rank, room);
            std::copy_n(t.turned + (size_t)i * t.rotated, t.rotated, room + t.key_rank);
            std::fill(room + t.key_rank + t.rotated, room + t.width, 0.0f);
            return room;
        };
        encode(t, key, count, t.keys);
        encode_values(t, count);
    }

    // As `encode`, but where the arithmetic has words along the keys, in that order.
    static __attribute__((noinline)) void encode_values(State &t, int count) {
        int padded = round_up(count, group);
        for (int key = 0; key < padded; key += group) {
            float *pair[2];
            for (int i = 0; i < group; ++i) {
                pair[i] = t.wide + (size_t)(key + i) * t.ranks + t.key_rank;
                if (key + i >= count) std::fill_n(pair[i], t.value_rank, 0.0f);
            }
            Word *out = t.values + (size_t)key / group * t.value_stride;
            if constexpr (A::scaled) {
                A::encode_apart(pair, t.results.width, t.results.chunk, t.value_rank, t.unused, out, t.unused_scale, t.value_scale + key);
            } else {
                float unused = 0;
                A::encode_cells(pair, t.results.width, 0, out, t.unused, t.unused_scale, unused, unused);
            }
        }
    }

    // Scores, softmax and sums of one block of queries with the tile.
    static void block_step(State &t, int block, int first, int count, bool masked) {
        int base = block * BLOCK, rows = std::min(BLOCK, t.part.queries - base);
        product(t.q.from(base), round_up(rows, PANEL), t.keys, count, t.scores, BLOCK);
        if (masked) hide(t, base, rows, first, count);
        soften(t, base, rows, count);
        accumulate(t, base, rows, count);
    }

    static __attribute__((noinline)) void hide(State &t, int base, int rows, int first, int count) {
        for (int row = 0; row < rows; ++row) {
            const uint16_t *mask = t.mask_of(base + row) + first;
            for (int key = 0; key < count; ++key)
                if (mask[key] & 0x7fff) t.scores[(size_t)key * BLOCK + row] += half_to_float(mask[key]) * LOG2_E;
        }
    }

    // Scores become weights, [key group][row]; keep and add say how the row's sums go on: sums * keep + products * add.
    static __attribute__((noinline)) void soften(State &t, int base, int rows, int count) {
        int padded = round_up(count, group);
        for (int row = 0; row < rows; row += lanes) {
            float *scores = t.scores + row;
            F top = L::splat(NOTHING);
            for (int key = 0; key < count; ++key) top = L::max(top, L::load(scores + (size_t)key * BLOCK));
            F sum{}, weighted{}, most{};
            for (int key = 0; key < count; ++key) {
                F weight = L::exp2(L::load(scores + (size_t)key * BLOCK) - top);
                sum += weight;
                if constexpr (A::scaled) {
                    weight *= L::splat(t.value_scale[key]);
                    weighted += weight;
                    most = L::max(most, weight);
                }
                L::store(scores + (size_t)key * BLOCK, weight);
            }
            for (int key = count; key < padded; ++key) L::store(scores + (size_t)key * BLOCK, F{});
            F scale = L::splat(1.0f);
            if constexpr (A::scaled) scale = A::weight_scale(weighted, most);
            for (int key = 0; key < padded; key += group)
                L::store(t.weights + (size_t)(key / group) * BLOCK + row, A::encode_weights(scores + (size_t)key * BLOCK, BLOCK, scale));
            F before = L::load(t.peak + base + row), now = L::max(before, top);
            F kept = L::exp2(before - now), added = L::exp2(top - now);
            L::store(t.peak + base + row, now);
            L::store(t.total + base + row, L::load(t.total + base + row) * kept + sum * added);
            L::store(t.keep + row, kept);
            L::store(t.add + row, A::scaled ? added / scale : added);
        }
    }

    // sums[row] = sums[row] * keep[row] + add[row] * Σ weights · values
    static __attribute__((noinline)) void accumulate(State &t, int base, int rows, int count) {
        int groups = round_up(count, group) / group;
        for (int column = 0; column < t.value_rank; column += WIDE) {
            int row = 0;
            for (; row + A::sum_rows <= rows; row += A::sum_rows) sum_part<A::sum_rows>(t, base, row, column, groups);
            for (; row + 4 <= rows; row += 4) sum_part<4>(t, base, row, column, groups);
            for (; row < rows; ++row) sum_part<1>(t, base, row, column, groups);
        }
    }

    template <int N> static inline void sum_part(State &t, int base, int row, int column, int groups) {
        constexpr int M = A::column_vectors;
        const Word *weights = t.weights + row, *values = t.values + column;
        typename A::Sum sum[N][M] = {};
        for (int at = 0; at < groups; ++at) {
            I columns[M];
#pragma GCC unroll 8
            for (int m = 0; m < M; ++m) columns[m] = L::load(values + (size_t)at * t.value_stride + m * lanes);
#pragma GCC unroll 8
            for (int n = 0; n < N; ++n) {
                I weight = L::splat(weights[(size_t)at * BLOCK + n]);
#pragma GCC unroll 8
                for (int m = 0; m < M; ++m) A::multiply_add(sum[n][m], columns[m], weight);
            }
        }
#pragma GCC unroll 8
        for (int n = 0; n < N; ++n) {
            float *target = t.sums + (size_t)(base + row + n) * t.value_rank + column;
#pragma GCC unroll 8
            for (int m = 0; m < M; ++m) {
                F value = L::load(target + m * lanes) * L::splat(t.keep[row + n]) + A::value(sum[n][m]) * L::splat(t.add[row + n]);
                L::store(target + m * lanes, value);
            }
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
        encode(t, mean, rows, t.results);
        product(t.back, latent, t.results, rows, t.block, latent);
        for (int i = 0; i < rows; ++i) {
            size_t row = (size_t)(t.part.query + base + i) * t.a.heads + t.part.head;
            std::copy_n(t.block + (size_t)i * latent, latent, t.a.out + row * latent);
        }
    }
};

template <class A> constexpr ExpandedKernel expanded_of = {ExpandedTile<A>::KEYS, ExpandedTile<A>::scratch, ExpandedTile<A>::compute};

} // namespace kimicode
