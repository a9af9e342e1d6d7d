// Layers of small experts, which come late, in any order, and few at a time, on several threads: the result is always the same, and that of
// products in 64 bits. Weights are f32, multiplied one by one. Prints the largest relative difference from 64 bits, the largest between a
// layer and its three products alone, "same" or "different", and whether a fault was "raised".

#include "experts/layer.hpp"

#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <random>
#include <set>
#include <thread>

using namespace kimicode;

namespace {

constexpr int EXPERTS = 12, WIDTH = 96, HIDDEN = 256; // several tasks a matrix

std::mt19937 rng(7);

// Two kinds, so that rows of activations are made for each.
struct Plain : Weights {
    int together;
    explicit Plain(int together) : together(together) {}
    const char *name() const override { return "plain"; }
    int         type() const override { return 0; }
    bool        takes(int) const override { return true; }
    size_t      row_bytes(int) const override { return 20000; } // so that a task is a few rows
    size_t      quantised_bytes(int width) const override { return (width * sizeof(float) + 63) / 64 * 64; }
    void        quantise(const float *row, int width, std::byte *out) const override { memcpy(out, row, width * sizeof(float)); }
    int         rows_together() const override { return together; }
    void        multiply(const Product &p) const override {
        auto *w = reinterpret_cast<const float *>(p.weights);
        for (int r = 0; r < p.count; ++r)
            for (int i = p.first; i < p.last; ++i) {
                float sum = 0;
                for (int c = 0; c < p.width; ++c) sum += w[(size_t)i * p.width + c] * reinterpret_cast<const float *>(p.rows[r])[c];
                p.out[r][i] = sum;
            }
    }
};

const Plain four(4), seven(7);

struct Expert {
    std::vector<float> parts[PARTS];

    Expert() {
        std::normal_distribution<float> normal(0, 0.1f);
        for (auto &part : parts) {
            part.resize(WIDTH * HIDDEN);
            for (float &w : part) w = normal(rng);
        }
    }
    double weight(int part, int width, int row, int column) const { return parts[part][(size_t)row * width + column]; }
};

std::vector<Expert> all_experts(EXPERTS);

// Gives them in any order, `most` at a time.
struct Late : Store {
    int most, fails;
    Late(int most, int fails = -1) : most(most), fails(fails) {}

    struct Given : Loan {
        Late            *store;
        std::mutex       lock;
        std::vector<int> left;
        std::set<int>    out;
        bool next(ExpertBytes &bytes, bool wait) override {
            for (;;) {
                {
                    std::lock_guard guard(lock);
                    if (left.empty()) return false;
                    if ((int)out.size() < store->most) {
                        bytes.expert = left.back();
                        if (bytes.expert == store->fails) throw ReadError("as asked");
                        left.pop_back();
                        out.insert(bytes.expert);
                        break;
                    }
                }
                if (!wait) return false;
                std::this_thread::yield();
            }
            for (int part = 0; part < PARTS; ++part) bytes.parts[part] = reinterpret_cast<const std::byte *>(all_experts[bytes.expert].parts[part].data());
            return true;
        }
        void done(int expert) override {
            std::lock_guard guard(lock);
            if (!out.erase(expert)) std::puts("given back twice");
        }
    };
    std::unique_ptr<Loan> borrow(int, std::span<const int> wanted, bool) override {
        auto loan = std::make_unique<Given>();
        loan->store = this;
        loan->left.assign(wanted.begin(), wanted.end());
        std::shuffle(loan->left.begin(), loan->left.end(), rng);
        return loan;
    }
    void        announce(int, std::span<const int>) override {}
    void        resize(uint64_t) override {}
    void        warm() override {}
    StoreCounts counts() const override { return {}; }
    int         layers() const override { return 1; }
    int         experts() const override { return EXPERTS; }
};

struct Case {
    int                tokens, used;
    std::vector<float> x;
    std::vector<int>   ids;

    Case(int tokens, int used) : tokens(tokens), used(used), x(tokens * WIDTH), ids(tokens * used) {
        std::normal_distribution<float> normal;
        for (float &v : x) v = normal(rng);
        for (int token = 0; token < tokens; ++token) {
            std::vector<int> all(EXPERTS);
            for (int e = 0; e < EXPERTS; ++e) all[e] = e;
            std::shuffle(all.begin(), all.end(), rng);
            std::copy_n(all.begin(), used, &ids[token * used]);
        }
    }

    std::vector<float> run(Store &store, int threads) const {
        std::vector<float> out((size_t)tokens * used * WIDTH, NAN);
        Team               team(threads);
        Block              memory;
        compute({(const std::byte *)x.data(), WIDTH * 4, (const std::byte *)ids.data(), used * sizeof(int), (std::byte *)out.data(),
                 (size_t)used * WIDTH * 4, WIDTH * 4, tokens, used, EXPERTS, WIDTH, HIDDEN, &four, &seven, &four, 0},
                store, team, memory);
        return out;
    }

    // The same from its products, one by one.
    std::vector<float> by_products(Store &store, int threads) const {
        std::vector<float> gate((size_t)tokens * used * HIDDEN), up(gate), out((size_t)tokens * used * WIDTH);
        Team               team(threads);
        Block              memory;
        auto               product = [&](int part, const std::vector<float> &from, bool own, int width, int rows, std::vector<float> &to) {
            size_t row = width * 4, result = rows * 4;
            compute(ExpertProduct{(const std::byte *)from.data(), own ? row * used : row, own ? row : 0, (const std::byte *)ids.data(),
                                  used * sizeof(int), (std::byte *)to.data(), result * used, result, tokens, used, EXPERTS, width, rows, &seven, 0,
                                  part},
                    store, team, memory);
        };
        product(0, x, false, WIDTH, HIDDEN, gate);
        product(1, x, false, WIDTH, HIDDEN, up);
        for (size_t i = 0; i < gate.size(); ++i) gate[i] = gate[i] / (1 + std::exp(-gate[i])) * up[i];
        product(2, gate, true, HIDDEN, WIDTH, out);
        return out;
    }

    double error(const std::vector<float> &out) const {
        double worst = 0;
        for (int i = 0; i < tokens * used; ++i) {
            const Expert       &e = all_experts[ids[i]];
            std::vector<double> inner(HIDDEN);
            for (int h = 0; h < HIDDEN; ++h) {
                double gate = 0, up = 0;
                for (int c = 0; c < WIDTH; ++c) {
                    gate += e.weight(0, WIDTH, h, c) * x[i / used * WIDTH + c];
                    up += e.weight(1, WIDTH, h, c) * x[i / used * WIDTH + c];
                }
                inner[h] = gate / (1 + std::exp(-gate)) * up;
            }
            double difference = 0, norm = 0;
            for (int r = 0; r < WIDTH; ++r) {
                double exact = 0;
                for (int h = 0; h < HIDDEN; ++h) exact += e.weight(2, HIDDEN, r, h) * inner[h];
                difference += std::pow(out[(size_t)i * WIDTH + r] - exact, 2);
                norm += exact * exact;
            }
            worst = std::max(worst, std::sqrt(difference / norm));
        }
        return worst;
    }
};

} // namespace

int main() {
    double worst = 0, apart = 0;
    bool   same = true, raised = true;
    for (auto [tokens, used] : {std::pair{1, 4}, {2, 1}, {7, 3}, {40, 4}, {130, 2}}) {
        Case               c(tokens, used);
        Late               all(EXPERTS);
        std::vector<float> first = c.run(all, 1), alone = c.by_products(all, 2);
        worst = std::max(worst, c.error(first));
        for (size_t i = 0; i < first.size(); ++i) apart = std::max(apart, (double)std::abs(first[i] - alone[i]));
        for (int threads : {1, 2, 5})
            for (int most : {1, 2, EXPERTS}) {
                Late               store(most);
                std::vector<float> out = c.run(store, threads);
                same &= memcmp(out.data(), first.data(), out.size() * sizeof(float)) == 0;
            }
        for (int threads : {1, 3}) {
            Late broken(2, c.ids[0]);
            try {
                c.run(broken, threads);
                raised = false;
            } catch (const ReadError &) {
            }
        }
    }
    std::printf("%g %g %s %s\n", worst, apart, same ? "same" : "different", raised ? "raised" : "silent");
}
