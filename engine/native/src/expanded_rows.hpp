// Rows for the products of the expanded form: from f32 to words, in the two orders that products.hpp takes, and the product of all of them.

#pragma once

#include "arithmetic.hpp"
#include "products.hpp"

namespace kimicode {

template <class A> struct ExpandedRows {
    using L = Lanes<A::lanes>;
    using I = typename L::I;
    using Word = int32_t;

    static constexpr int lanes = A::lanes, group = A::group;
    static constexpr int PANEL = A::row_vectors * lanes;

    static int round_up(int value, int step) { return (value + step - 1) / step * step; }

    // `apart`: so many values at the beginning share no chunk with the others.
    static Chunks chunks_of(int values, int apart) {
        int width = values / group, chunk = width;
        if constexpr (A::scaled) chunk = A::chunk_of(apart);
        return {width, chunk, (width + chunk - 1) / chunk};
    }

    // Rows in the lanes: [panel][word][row of the panel], and scales [chunk][row of `rows`].
    struct Packed {
        Chunks chunks;
        Word  *words;
        float *scale;
        int    rows;

        Packed from(int row) const { // a multiple of PANEL
            Packed part = *this;
            part.words += (size_t)row * chunks.width;
            part.scale += row;
            return part;
        }
    };
    // Rows that are one value for all lanes: [row][word], and scales [row][chunk].
    struct Plain {
        Chunks chunks;
        Word  *words;
        float *scale;
    };
    // Room to make a pair of rows in, and for what an arithmetic makes of them besides.
    struct Room {
        float *row[2];
        Word  *words;
        float *scale;
    };

    // Rows as Packed; `source(i)` is row i; of `padded` rows those after the first `rows` are zeros.
    template <class Source> static void pack(Source source, int rows, int padded, float factor, const Packed &out) {
        for (int first = 0; first < padded; first += lanes) {
            Word *target = out.words + (size_t)(first / PANEL) * PANEL * out.chunks.width + first % PANEL;
            for (int word = 0; word < out.chunks.width; word += lanes) {
                float *scale = out.scale + (size_t)(word / out.chunks.chunk) * out.rows + first;
                if (word % out.chunks.chunk == 0) std::fill_n(scale, lanes, 0.0f);
                alignas(64) Word packed[lanes][lanes] = {};
                for (int i = 0; i < lanes && first + i < rows; ++i) {
                    const float *values = source(first + i) + (size_t)word * group;
                    int left = (out.chunks.width - word) * group;
                    if (word % out.chunks.chunk == 0) scale[i] = A::row_scale(values, std::min(left, out.chunks.chunk * group), factor);
                    A::encode_words(values, lanes * group, factor, scale[i], packed[i]);
                }
                I column[lanes];
                for (int i = 0; i < lanes; ++i) column[i] = L::load(packed[i]);
                L::transpose(column);
                for (int w = 0; w < lanes; ++w) L::store(target + (size_t)(word + w) * PANEL, column[w]);
            }
            for (int chunk = 0; chunk < out.chunks.count; ++chunk)
                for (int i = 0; i < lanes; ++i) {
                    float &scale = out.scale[(size_t)chunk * out.rows + first + i];
                    scale = A::result_scale(scale, factor);
                }
        }
    }

    // Rows as Plain; `source(i, room)` is row i, perhaps made in `room`. Rows up to the products' size are zeros.
    template <class Source> static void encode(Source source, int rows, const Room &room, const Plain &out) {
        const Chunks &c = out.chunks;
        int padded = round_up(round_up(rows, A::key_rows), group);
        for (int first = 0; first < padded; first += group) {
            const float *pair[2];
            for (int i = 0; i < group; ++i) {
                if (first + i >= rows) std::fill_n(room.row[i], c.width * group, 0.0f);
                pair[i] = first + i < rows ? source(first + i, room.row[i]) : room.row[i];
            }
            Word *words = out.words + (size_t)first * c.width;
            if constexpr (A::scaled) {
                A::encode_apart(pair, c.width, c.chunk, 0, words, room.words, out.scale + (size_t)first * c.count, room.scale);
            } else {
                A::copy_cell(pair[0], c.width, words);
            }
        }
    }

    // out[row of `plain`][row of `packed`] = their product, for `rows` plain rows, rounded up, and the first `packed_rows` packed ones.
    static __attribute__((noinline)) void product(const Packed &packed, int packed_rows, const Plain &plain, int rows, float *out,
                                                  int stride) {
        for (int panel = 0; panel < packed_rows; panel += PANEL) {
            Packed part = packed.from(panel);
            for (int row = 0; row < rows; row += A::key_rows)
                multiply<A>(plain.chunks, part.words, plain.words + (size_t)row * plain.chunks.width,
                            plain.scale + (size_t)row * plain.chunks.count, part.scale, part.rows, out + (size_t)row * stride + panel, stride);
        }
    }
};

} // namespace kimicode
