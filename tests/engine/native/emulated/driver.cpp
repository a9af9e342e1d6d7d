// Every kernel that runs here against double precision: a program of its own, for processors that are emulated. The first line it prints is
// the kernels' names; then one line for each result that is too far off, and the exit status says whether there was any.

#include "api.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <sstream>
#include <string>
#include <vector>

namespace {

constexpr int F32 = 0, F16 = 1, Q8_0 = 8, BF16 = 30;
constexpr double EXACT = 2e-5, FAST = 2e-3; // relative error, Euclidean norm

struct Shape {
    int queries, keys, heads, width, latent;
    bool masked;
};

constexpr Shape SHAPES[] = {
    {1, 1, 4, 96, 64, false},    {2, 13, 4, 96, 64, true},  {3, 61, 4, 96, 64, false},
    {9, 203, 5, 96, 64, true},   {20, 97, 4, 96, 64, true}, {1, 67, 64, 576, 512, false},
    {2, 61, 33, 576, 512, true},
};

// Sums of three numbers that look random: about normal, standard deviation 1.
struct Numbers {
    uint32_t state = 1;
    float next() {
        float sum = 0;
        for (int i = 0; i < 3; ++i) {
            state = state * 1664525u + 1013904223u;
            sum += (float)(int32_t)state / 2147483648.0f;
        }
        return sum;
    }
};

uint16_t upper(float value, int shift) {
    uint32_t bits;
    memcpy(&bits, &value, 4);
    return (uint16_t)(bits >> shift);
}

// Half precision with the last bits dropped; values beyond it or below its normal ones are not asked for.
uint16_t half_of(float value) {
    uint16_t sign = upper(value, 16) & 0x8000;
    return std::fabs(value) < 7e-5f ? sign : (uint16_t)(sign | (((upper(std::fabs(value), 13)) - 0x1c000) & 0x7fff));
}

float value_of(uint16_t half) {
    int exponent = half >> 10 & 31;
    float size = exponent ? std::ldexp((float)((half & 1023) + 1024), exponent - 25) : 0.0f;
    return half & 0x8000 ? -size : size;
}

// One cell in its type, appended to `bytes`; `values` become what it holds.
void write(int type, std::vector<float> &values, std::vector<uint8_t> &bytes) {
    auto put = [&](const void *p, size_t size) { bytes.insert(bytes.end(), (const uint8_t *)p, (const uint8_t *)p + size); };
    for (size_t at = 0; at < values.size(); ++at) {
        float &value = values[at];
        uint16_t word = type == BF16 ? upper(value, 16) : half_of(type == Q8_0 ? 0.01f : value);
        if (type == F16) value = value_of(word);
        if (type == F32) put(&value, 4);
        if (type == F16 || (type == Q8_0 && at % 32 == 0)) put(&word, 2);
        if (type == BF16) {
            uint32_t all = (uint32_t)word << 16;
            memcpy(&value, &all, 4);
            put(&word, 2);
        }
        if (type == Q8_0) {
            int8_t steps = (int8_t)std::clamp(std::lround(value * 100), -127l, 127l);
            value = steps * value_of(word);
            put(&steps, 1);
        }
    }
}

bool hidden(const Shape &s, int query, int key) { return s.masked && (key > s.keys - s.queries + query || (key + query) % 5 == 1); }

struct Case {
    Shape s;
    int type;
    std::vector<float> q, out;
    std::vector<std::vector<float>> cells;
    std::vector<uint8_t> bytes;
    std::vector<uint16_t> mask;
    std::vector<double> wanted;

    Case(Shape shape, int type_)
        : s(shape), type(type_), q((size_t)s.queries * s.heads * s.width), out((size_t)s.queries * s.heads * s.latent) {
        Numbers numbers;
        for (float &x : q) x = numbers.next();
        for (int key = 0; key < s.keys; ++key) {
            auto &cell = cells.emplace_back(s.width);
            for (float &x : cell) x = numbers.next();
            write(type, cell, bytes);
        }
        for (int query = 0; query < s.queries; ++query)
            for (int key = 0; key < s.keys; ++key) mask.push_back(hidden(s, query, key) ? 0xfc00 : 0);
        for (int query = 0; query < s.queries; ++query)
            for (int head = 0; head < s.heads; ++head) refer(query, head);
    }

    float scale() const { return 3.1f / std::sqrt((float)s.width); } // scores' standard deviation: 3.1

    // In double precision.
    void refer(int query, int head) {
        size_t row = (size_t)query * s.heads + head;
        std::vector<double> sums(s.latent);
        double total = 0;
        for (int key = 0; key < s.keys; ++key) {
            if (hidden(s, query, key)) continue;
            double score = 0;
            for (int i = 0; i < s.width; ++i) score += (double)q[row * s.width + i] * cells[key][i];
            double weight = std::exp(score * scale());
            total += weight;
            for (int i = 0; i < s.latent; ++i) sums[i] += weight * cells[key][i];
        }
        for (double sum : sums) wanted.push_back(total > 0 ? sum / total : 0);
    }

    // The greatest relative error of a row.
    double error() const {
        double worst = 0;
        for (size_t row = 0; row < out.size(); row += s.latent) {
            double wrong = 0, size = 0;
            for (size_t i = row; i < row + s.latent; ++i) {
                wrong += (wanted[i] - out[i]) * (wanted[i] - out[i]);
                size += wanted[i] * wanted[i];
            }
            if (std::isnan(wrong) || (size == 0 && wrong > 0)) return INFINITY;
            if (size > 0) worst = std::max(worst, std::sqrt(wrong / size));
        }
        return worst;
    }

    double run(const char *kernel, int threads) {
        std::fill(out.begin(), out.end(), NAN);
        kimicode_attention a{q.data(), (size_t)s.heads * s.width * 4, (size_t)s.width * 4, bytes.data(), bytes.size() / s.keys, type,
                             s.masked ? mask.data() : nullptr, (size_t)s.keys * 2, out.data(), s.queries, s.keys, s.heads, s.width,
                             s.latent, scale()};
        return kimicode_attend(&a, kernel, threads) == 0 ? error() : INFINITY;
    }
};

} // namespace

int main() {
    puts(kimicode_kernels());
    int failures = 0;
    for (const Shape &shape : SHAPES)
        for (int type : {F32, F16, Q8_0, BF16}) {
            Case one(shape, type);
            std::istringstream names(kimicode_kernels());
            for (std::string name; names >> name;)
                for (int threads : {1, 3}) {
                    double error = one.run(name.c_str(), threads), limit = name.ends_with("-exact") ? EXACT : FAST;
                    if (error <= limit) continue;
                    ++failures;
                    printf("%s: %d queries, %d keys, %d heads, cell type %d, %d threads: error %g, at most %g\n", name.c_str(),
                           shape.queries, shape.keys, shape.heads, type, threads, error, limit);
                }
        }
    return failures > 0;
}
