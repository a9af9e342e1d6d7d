#include "selftest.hpp"
#include "team.hpp"

#include <cmath>
#include <cstring>
#include <vector>

namespace kimicode {
namespace {

constexpr int QUERIES = 3, HEADS = 5, WIDTH = 96, LATENT = 64, KEYS = 211;
constexpr float SCALE = 0.25f;

// Numbers between -1 and 1 that look random.
struct Numbers {
    uint32_t state = 1;
    float next() {
        state = state * 1664525u + 1013904223u;
        return (float)(int32_t)state / 2147483648.0f;
    }
};

bool hidden(int query, int key) { return key > 150 + 20 * query; }

} // namespace

double self_test(const Kernel &kernel) {
    Numbers numbers;
    std::vector<float> q((size_t)QUERIES * HEADS * WIDTH), cells((size_t)KEYS * WIDTH), out((size_t)QUERIES * HEADS * LATENT);
    for (float &x : q) x = numbers.next();
    for (float &x : cells) x = numbers.next();
    std::vector<uint16_t> mask((size_t)QUERIES * KEYS);
    for (int i = 0; i < QUERIES * KEYS; ++i) mask[i] = hidden(i / KEYS, i % KEYS) ? 0xfc00 : 0;
    auto bytes = [](const auto &v) { return reinterpret_cast<const std::byte *>(v.data()); };
    Attention a{bytes(q), (size_t)HEADS * WIDTH * 4, (size_t)WIDTH * 4, bytes(cells), (size_t)WIDTH * 4, Cell::f32, bytes(mask),
                (size_t)KEYS * 2, out.data(), QUERIES, KEYS, HEADS, WIDTH, LATENT, SCALE};
    Team alone(1);
    attend(a, kernel, alone);
    double error = 0, size = 0;
    for (int row = 0; row < QUERIES * HEADS; ++row) {
        std::vector<double> sum(LATENT);
        double total = 0;
        for (int key = 0; key < KEYS && !hidden(row / HEADS, key); ++key) {
            double score = 0;
            for (int i = 0; i < WIDTH; ++i) score += (double)q[(size_t)row * WIDTH + i] * cells[(size_t)key * WIDTH + i];
            double weight = std::exp(score * SCALE);
            total += weight;
            for (int i = 0; i < LATENT; ++i) sum[i] += weight * cells[(size_t)key * WIDTH + i];
        }
        for (int i = 0; i < LATENT; ++i) {
            double wanted = sum[i] / total, got = out[(size_t)row * LATENT + i];
            error += (wanted - got) * (wanted - got);
            size += wanted * wanted;
        }
    }
    return std::sqrt(error / size);
}

} // namespace kimicode
