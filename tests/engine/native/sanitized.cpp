// Every kernel that runs here on memory of the exact size, for the compiler's sanitizers to watch: `sanitized memory` or `sanitized threads`.
//
// Prints how much it ran. What this does not do: compare results with anything but their bounds (test_attention.py).

#include "api.h"
#include "attention.hpp"
#include "memory.hpp"
#include "team.hpp"

#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <string>
#include <thread>
#include <vector>

using namespace kimicode;

namespace {

struct Shape {
    int queries, keys, heads, width, latent;
};

// Rows, tiles and groups that end beside every border; sizes of words, vectors and chunks.
constexpr Shape SHAPES[] = {
    {1, 1, 1, 64, 64},    {1, 2, 3, 96, 64},   {2, 59, 5, 96, 64},    {3, 61, 4, 160, 128}, {4, 64, 16, 96, 64},  {5, 95, 13, 96, 64},
    {1, 96, 64, 192, 64}, {2, 97, 65, 96, 64}, {9, 300, 2, 128, 128}, {8, 129, 3, 320, 256}, {1, 193, 5, 576, 512}, {3, 131, 31, 96, 64},
};
constexpr Cell CELLS[] = {Cell::f32, Cell::f16, Cell::q8_0, Cell::bf16};
enum class Mask { none, causal, scattered, all };
constexpr Mask MASKS[] = {Mask::none, Mask::causal, Mask::scattered, Mask::all};
constexpr float LARGEST_CELL = 2.0f; // above every value of a cell

struct Numbers {
    uint32_t state = 1;
    uint32_t next() { return state = state * 1664525u + 1013904223u; }
    float    value() { return (float)(int32_t)next() / 2147483648.0f; } // -1 to 1
};

// A heap block of exactly `count` elements.
template <class T> std::unique_ptr<T[]> room(size_t count) { return std::unique_ptr<T[]>(new T[count]()); }

// The half of 1.x or -1.x whose fraction the bits are.
uint16_t half_of(uint32_t bits) { return (uint16_t)(0x3c00 | (bits >> 8 & 0x83ff)); }

void fill(std::byte *cell, Cell type, int width, Numbers &numbers) {
    for (int i = 0; i < width; ++i) {
        float value = numbers.value();
        uint16_t half = half_of(numbers.next()), upper = (uint16_t)(0x3f00 | (numbers.next() >> 8 & 0x80ff));
        switch (type) {
            case Cell::f32: memcpy(cell + 4 * i, &value, 4); break;
            case Cell::f16: memcpy(cell + 2 * i, &half, 2); break;
            case Cell::bf16: memcpy(cell + 2 * i, &upper, 2); break;
            case Cell::q8_0: {
                uint16_t scale = 0x2000; // 2^-7
                if (i % 32 == 0) memcpy(cell + i / 32 * 34, &scale, 2);
                cell[i / 32 * 34 + 2 + i % 32] = (std::byte)(int8_t)(value * 127);
            }
        }
    }
}

bool hidden(Mask mask, const Shape &s, int query, int key, Numbers &numbers) {
    switch (mask) {
        case Mask::none: return false;
        case Mask::causal: return key > s.keys - s.queries + query;
        case Mask::scattered: return numbers.next() >> 31;
        case Mask::all: return true;
    }
    return false;
}

struct Problem {
    Shape                        shape;
    std::unique_ptr<float[]>     q, out;
    std::unique_ptr<std::byte[]> cells;
    std::unique_ptr<uint16_t[]>  mask;
    Attention                    a;

    Problem(const Shape &s, Cell cell, Mask kind) : shape(s) {
        Numbers numbers;
        size_t size = cell_bytes(cell, s.width), rows = (size_t)s.queries * s.heads;
        q = room<float>(rows * s.width);
        out = room<float>(rows * s.latent);
        cells = room<std::byte>(size * s.keys);
        for (size_t i = 0; i < rows * s.width; ++i) q[i] = numbers.value();
        for (int key = 0; key < s.keys; ++key) fill(cells.get() + size * key, cell, s.width, numbers);
        if (kind != Mask::none) mask = room<uint16_t>((size_t)s.queries * s.keys);
        for (int i = 0; mask && i < s.queries * s.keys; ++i) mask[i] = hidden(kind, s, i / s.keys, i % s.keys, numbers) ? 0xfc00 : 0;
        a = {bytes(q),  (size_t)s.heads * s.width * 4, (size_t)s.width * 4, cells.get(), size, cell, bytes(mask), (size_t)s.keys * 2, out.get(),
             s.queries, s.keys,                        s.heads,             s.width,     s.latent, 0.3f};
    }

    template <class T> static const std::byte *bytes(const std::unique_ptr<T[]> &block) {
        return reinterpret_cast<const std::byte *>(block.get());
    }

    void check(const Kernel &kernel, const char *what) const {
        for (size_t i = 0; i < (size_t)a.queries * a.heads * a.latent; ++i) {
            if (std::abs(out[i]) <= LARGEST_CELL) continue;
            fprintf(stderr, "%s, %s: %g at %zu of %d x %d x %d over %d\n", kernel.name, what, out[i], i, a.queries, a.heads, a.latent, a.keys);
            exit(1);
        }
    }
};

// One share in scratch memory of exactly the size that the kernel asks for: attend() takes whole pages, where no sanitizer looks.
void share(const Problem &p, const Kernel &kernel) {
    size_t rows = (size_t)p.a.queries * p.a.heads;
    auto sums = room<float>(rows * p.a.latent), peak = room<float>(rows), total = room<float>(rows);
    std::unique_ptr<std::byte, void (*)(void *)> scratch((std::byte *)std::aligned_alloc(64, kernel.scratch(p.a, p.a.queries)), std::free);
    Share whole{0, p.a.queries, 0, p.a.keys, sums.get(), peak.get(), total.get()};
    kernel.share(p.a, whole, scratch.get());
    kernel.merge(whole, 1, 0, 0, rows, p.a.latent, p.a.out);
    p.check(kernel, "a share");
}

// The expanded form, with matrices of every head that have nothing to do with its queries: results mean nothing.
void expand(const Problem &p, const Kernel &kernel, int threads) {
    constexpr int RANK = 32;
    size_t count = (size_t)p.a.heads * RANK * p.a.latent;
    auto keys = room<float>(count), values = room<float>(count);
    Numbers numbers;
    for (size_t i = 0; i < count; ++i) keys[i] = numbers.value(), values[i] = numbers.value();
    kimicode_attention a{p.a.q,   p.a.q_query, p.a.q_head, p.a.cells, p.a.cell_stride, (int)p.a.cell, p.a.mask, p.a.mask_query,
                         p.a.out, p.a.queries, p.a.keys,   p.a.heads, p.a.width,       p.a.latent,    p.a.scale};
    kimicode_expansion e{keys.get(), values.get(), RANK, RANK};
    int status = kimicode_attend_expanded(&a, &e, kernel.name, threads, 2);
    if (status != 0 && status != 2) {
        fprintf(stderr, "%s, expanded: status %d\n", kernel.name, status);
        exit(1);
    }
}

int memory(const Kernel &kernel) {
    int runs = 0;
    Team one(1), three(3);
    for (const Shape &shape : SHAPES)
        for (Cell cell : CELLS)
            for (Mask mask : MASKS) {
                Problem p(shape, cell, mask);
                attend(p.a, kernel, one);
                p.check(kernel, "one thread");
                attend(p.a, kernel, three);
                p.check(kernel, "three threads");
                share(p, kernel);
                if (mask == Mask::causal && cell != Cell::f32 && shape.heads * shape.width < 4000) expand(p, kernel, 2);
                ++runs;
            }
    return runs;
}

// A team again and again, smaller and larger, while another thread's team does the same.
int threads(const Kernel &kernel) {
    auto work = [&](int seed) {
        Team team(4);
        Block block;
        for (int round = 0; round < 6; ++round) {
            const Shape &shape = SHAPES[(size_t)(round + seed) % (sizeof SHAPES / sizeof *SHAPES)];
            Problem p({shape.queries, shape.keys * 5, shape.heads, shape.width, shape.latent}, CELLS[round % 4], MASKS[round % 3]);
            attend(p.a, kernel, team, block);
            attend(p.a, kernel, team, block);
            p.check(kernel, "a team");
            if (shape.heads * shape.width < 4000) expand(p, kernel, 4);
            team.resize(1 + (round * 3 + seed) % 5);
        }
    };
    std::thread other(work, 5);
    work(0);
    other.join();
    return 12;
}

} // namespace

int main(int count, char **arguments) {
    bool watch_threads = count > 1 && std::string(arguments[1]) == "threads";
    int number;
    const Kernel *const *all = kernels(number);
    for (int i = 0; i < number; ++i)
        if (all[i]->runs()) printf("%s %d\n", all[i]->name, watch_threads ? threads(*all[i]) : memory(*all[i]));
}
