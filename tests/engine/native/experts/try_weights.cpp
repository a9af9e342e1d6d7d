// Every Q4_0 kernel that runs here, against double precision, with memory that ends where weights, activations and results do. Prints a line
// for each kernel: its name, its greatest error with the activations as they were quantised and as they were before, both relative to the
// norms of the two rows, and whether its results depended on anything but their rows ("same" or "apart").

#include "experts/int4.hpp"
#include "vector.hpp"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <limits>
#include <memory>
#include <sys/mman.h>
#include <unistd.h>
#include <vector>

using namespace kimicode;

namespace {

struct Shape {
    int width, rows, count;
};

// Vectors of rows, chunks of groups and blocks of activations that end beside every border.
constexpr Shape SHAPES[] = {{32, 1, 1},   {32, 7, 2},    {64, 8, 3},    {96, 17, 4},  {352, 33, 5},  {544, 31, 9},  {1056, 19, 31},
                            {64, 47, 33}, {2048, 16, 7}, {544, 9, 65},  {32, 16, 70}, {7168, 18, 2}, {7168, 24, 6}, {64, 19, 300}};

struct Numbers {
    uint32_t state = 1;
    uint32_t next() { return (state = state * 1664525u + 1013904223u) >> 8; }
    float    value() { return (float)next() / (1 << 23) - 1; } // -1 to 1
};

// Bytes with nothing readable behind them, and, if they fill pages, before them.
class Fenced {
  public:
    explicit Fenced(size_t bytes) {
        size_t page = (size_t)sysconf(_SC_PAGESIZE), pages = (bytes + page - 1) / page * page;
        size_ = pages + 2 * page;
        all_ = static_cast<std::byte *>(mmap(nullptr, size_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
        mprotect(all_, page, PROT_NONE);
        mprotect(all_ + page + pages, page, PROT_NONE);
        start = all_ + page + pages - bytes;
    }
    ~Fenced() { munmap(all_, size_); }
    Fenced(const Fenced &) = delete;

    std::byte *start;

  private:
    std::byte *all_;
    size_t     size_;
};

uint16_t scale_of(Numbers &numbers, int kind) {
    constexpr uint16_t SPECIAL[] = {0x0000, 0x8000, 0x0001, 0x83ff, 0x7bff}; // zeros, subnormal numbers, the greatest
    return kind % 11 == 0 ? SPECIAL[kind / 11 % 4] : (uint16_t)(0x1c00 + (numbers.next() & 0x87ff));
}

struct Problem {
    Shape  s;
    Fenced w;
    std::vector<float>               x;
    std::vector<std::vector<double>> weights, given, quantised;
    std::vector<std::unique_ptr<Fenced>> in;

    explicit Problem(Shape shape) : s(shape), w((size_t)s.rows * (s.width / GROUP) * INT4_BLOCK) {
        Numbers numbers;
        std::byte *block = w.start;
        for (int row = 0; row < s.rows; ++row) {
            auto &values = weights.emplace_back(s.width);
            for (int at = 0; at < s.width; at += GROUP, block += INT4_BLOCK) write_block(block, numbers, row + at / GROUP, values.data() + at);
        }
        for (int r = 0; r < s.count; ++r) add_row(numbers, r);
    }

    static void write_block(std::byte *block, Numbers &numbers, int kind, double *values) {
        uint16_t scale = scale_of(numbers, kind);
        memcpy(block, &scale, sizeof scale);
        for (int i = 0; i < GROUP / 2; ++i) {
            int both = kind % 7 == 1 ? 0xff : (int)numbers.next() & 255; // some blocks are full
            block[2 + i] = (std::byte)both;
            values[i] = ((both & 15) - 8) * (double)half_to_float(scale);
            values[i + GROUP / 2] = ((both >> 4) - 8) * (double)half_to_float(scale);
        }
    }

    void add_row(Numbers &numbers, int r) {
        std::vector<float> row(s.width);
        for (int i = 0; i < s.width; ++i) row[i] = r % 5 == 2 ? 1.0f : numbers.value() * (r % 5 == 3 && i % 64 == 5 ? 1e4f : 1.0f);
        if (r % 5 == 4) std::fill_n(row.begin(), GROUP, r % 2 ? 0.0f : 1e-37f);
        size_t groups = s.width / GROUP;
        auto  &room = in.emplace_back(std::make_unique<Fenced>(groups * sizeof(Activations)));
        Activations *out = reinterpret_cast<Activations *>(room->start);
        quantise(row.data(), s.width, out);
        auto &now = quantised.emplace_back();
        for (size_t g = 0; g < groups; ++g)
            for (int8_t value : out[g].values) now.push_back((double)value * out[g].scale);
        given.emplace_back(row.begin(), row.end());
    }

    // [count][rows]; W from another place, and divided into parts, if asked for.
    std::vector<float> run(const Int4Kernel &kernel, const std::byte *weights, int part, int first, int count) const {
        Fenced all((size_t)count * s.rows * sizeof(float));
        float *results = reinterpret_cast<float *>(all.start);
        std::vector<const std::byte *> rows;
        std::vector<float *>           out;
        for (int r = 0; r < count; ++r) {
            rows.push_back(in[first + r]->start);
            out.push_back(results + (size_t)r * s.rows);
        }
        for (int i = 0; i < s.rows; i += part)
            kernel.multiply({weights, s.width, i, std::min(s.rows, i + part), rows.data(), count, out.data()});
        return {results, results + (size_t)count * s.rows};
    }

    // W · x and the product of their norms, for each row of either.
    std::vector<std::pair<double, double>> products(const std::vector<std::vector<double>> &x) const {
        std::vector<std::pair<double, double>> all;
        for (const auto &row : x)
            for (const auto &w : weights) {
                double sum = 0, a = 0, b = 0;
                for (int k = 0; k < s.width; ++k) {
                    sum += w[k] * row[k];
                    a += w[k] * w[k];
                    b += row[k] * row[k];
                }
                all.emplace_back(sum, std::sqrt(a * b));
            }
        return all;
    }

    static double error(const std::vector<float> &got, const std::vector<std::pair<double, double>> &wanted) {
        double worst = 0;
        for (size_t i = 0; i < got.size(); ++i) {
            double wrong = std::fabs(wanted[i].first - got[i]), size = wanted[i].second;
            if (std::isnan(wrong) || (size == 0 && wrong > 0)) return INFINITY;
            if (size > 0) worst = std::max(worst, wrong / std::max(size, 1e-30));
        }
        return worst;
    }

    // Bit for bit the same, divided anyhow, from other addresses, and with fewer rows at a time.
    bool same(const Int4Kernel &kernel, const std::vector<float> &wanted) const {
        auto equal = [&](const std::vector<float> &got, int first) {
            return memcmp(got.data(), wanted.data() + (size_t)first * s.rows, got.size() * sizeof(float)) == 0;
        };
        size_t bytes = (size_t)s.rows * (s.width / GROUP) * INT4_BLOCK;
        Fenced moved(bytes + 64);
        for (int shift : {1, 2, 33}) {
            memcpy(moved.start + shift, w.start, bytes);
            if (!equal(run(kernel, moved.start + shift, s.rows, 0, s.count), 0)) return false;
        }
        for (int part : {1, 5, kernel.rows_together, 3 * kernel.rows_together + 1})
            if (!equal(run(kernel, w.start, part, 0, s.count), 0)) return false;
        for (int r = 0; r < s.count; ++r)
            if (!equal(run(kernel, w.start, s.rows, r, 1), r)) return false;
        return true;
    }
};

// What is no number makes the results of its own row none, and of no other.
bool spreads(const Int4Kernel &kernel) {
    constexpr int WIDTH = 64, ROWS = 9, COUNT = 5;
    std::vector<std::byte> w((size_t)ROWS * WIDTH / GROUP * INT4_BLOCK, (std::byte)0x11);
    alignas(64) Activations      x[COUNT][WIDTH / GROUP];
    const float            odd[] = {INFINITY, -INFINITY, NAN, std::numeric_limits<float>::max()};
    const std::byte       *rows[COUNT];
    float                  results[COUNT][ROWS], *out[COUNT];
    for (int r = 0; r < COUNT; ++r) {
        std::vector<float> row(WIDTH, 1.0f);
        if (r > 0) row[40] = odd[r - 1];
        quantise(row.data(), WIDTH, x[r]);
        rows[r] = reinterpret_cast<const std::byte *>(x[r]);
        out[r] = results[r];
    }
    kernel.multiply({w.data(), WIDTH, 0, ROWS, rows, COUNT, out});
    bool right = true;
    for (int r = 0; r < COUNT; ++r)
        for (float result : results[r]) right &= std::isnan(result) == (r >= 1 && r <= 3);
    return right;
}

} // namespace

int main() {
    int count;
    const Int4Kernel *const *all = int4_kernels(count);
    std::vector<std::pair<double, double>> errors(count);
    std::vector<char>                      same(count, true);
    for (Shape s : SHAPES) {
        Problem problem(s);
        auto    exact = problem.products(problem.quantised), given = problem.products(problem.given);
        for (int i = 0; i < count; ++i) {
            if (!all[i]->runs()) continue;
            std::vector<float> got = problem.run(*all[i], problem.w.start, s.rows, 0, s.count);
            errors[i].first = std::max(errors[i].first, Problem::error(got, exact));
            errors[i].second = std::max(errors[i].second, Problem::error(got, given));
            same[i] &= problem.same(*all[i], got) && spreads(*all[i]);
        }
    }
    for (int i = 0; i < count; ++i)
        if (all[i]->runs()) printf("%s %g %g %s\n", all[i]->name, errors[i].first, errors[i].second, same[i] ? "same" : "apart");
}
