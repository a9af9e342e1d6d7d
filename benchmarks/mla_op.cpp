// A peer's attention operation, by itself: ggml's FLASH_ATTN_EXT at one key head, driven by lines of text.
//
//     mla_op THREADS VALUES
//
// VALUES is how many values of a cell come before its latent: 0 in llama.cpp's cache, 64 in ik_llama.cpp's, for which it is compiled with
// PEER_IK. Lines that are read, and the one line that answers each:
//     case FOLDER QUERIES KEYS TYPE   -> ok     reads FOLDER/q (f32 [queries][64][576]), cells ([keys][bytes of a cell of ggml's TYPE]) and
//                                               mask (f16 [queries][keys]); computes once, writes FOLDER/out (f32 [queries][64][512])
//     run                             -> the seconds that computing it again took
// What this program does not do: make data, repeat, or judge.

#include "ggml.h"
#ifndef PEER_IK
#include "ggml-cpu.h"
#endif

#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <memory>
#include <sstream>
#include <string>
#include <vector>

namespace {

constexpr int64_t HEADS = 64, WIDTH = 576, LATENT = 512;
constexpr int64_t MASK_ROWS = 64; // one peer wants masks padded to whole groups of queries; no group of either is larger

struct Closed {
    void operator()(ggml_context *context) const { ggml_free(context); }
};

[[noreturn]] void fail(const std::string &reason) {
    std::cerr << reason << "\n";
    std::exit(1);
}

void read(const std::string &path, void *to, size_t bytes) {
    std::ifstream file(path, std::ios::binary);
    if (!file.read(static_cast<char *>(to), (std::streamsize)bytes)) fail(path + ": it has fewer bytes than " + std::to_string(bytes));
}

ggml_cplan plan_of(ggml_cgraph *graph, int threads) {
#ifdef PEER_IK
    return ggml_graph_plan(graph, threads);
#else
    return ggml_graph_plan(graph, threads, nullptr);
#endif
}

// One case: its tensors, its graph of one operation, and the memory that computing needs.
class Case {
public:
    Case(const std::string &folder, int64_t queries, int64_t keys, ggml_type type, int threads, int64_t before) {
        size_t row = ggml_row_size(type, WIDTH);
        int64_t mask_rows = (queries + MASK_ROWS - 1) / MASK_ROWS * MASK_ROWS;
        size_t bytes = (size_t)queries * HEADS * (WIDTH + LATENT) * 4 + (size_t)keys * row + (size_t)(mask_rows * keys) * 2 + (64u << 20);
        context_.reset(ggml_init({bytes, nullptr, false}));
        if (!context_) fail("there is no memory for the case");
        ggml_context *c = context_.get();
        ggml_tensor *q = ggml_new_tensor_3d(c, GGML_TYPE_F32, WIDTH, HEADS, queries);
        ggml_tensor *k = ggml_new_tensor_3d(c, type, WIDTH, keys, 1);
        ggml_tensor *mask = ggml_new_tensor_2d(c, GGML_TYPE_F16, keys, mask_rows);
        read(folder + "/q", ggml_get_data(q), ggml_nbytes(q));
        read(folder + "/cells", ggml_get_data(k), ggml_nbytes(k));
        read(folder + "/mask", ggml_get_data(mask), (size_t)(queries * keys) * 2);
        ggml_tensor *v = ggml_view_3d(c, k, LATENT, keys, 1, row, row * (size_t)keys, ggml_row_size(type, before));
        out_ = ggml_flash_attn_ext(c, ggml_permute(c, q, 0, 2, 1, 3), k, v, mask, 3.0f / 24, 0, 0);
#ifndef PEER_IK
        ggml_prec_set_acc(out_, GGML_PREC_F32); // as its own models ask for
#endif
        graph_ = ggml_new_graph(c);
        ggml_build_forward_expand(graph_, out_);
        plan_ = plan_of(graph_, threads);
        work_.resize(plan_.work_size + 64);
        plan_.work_data = work_.data();
        run();
        std::ofstream file(folder + "/out", std::ios::binary);
        file.write(static_cast<const char *>(ggml_get_data(out_)), (std::streamsize)ggml_nbytes(out_));
    }

    double run() {
        auto begun = std::chrono::steady_clock::now();
        if (ggml_graph_compute(graph_, &plan_) != GGML_STATUS_SUCCESS) fail("the operation failed");
        return std::chrono::duration<double>(std::chrono::steady_clock::now() - begun).count();
    }

private:
    std::unique_ptr<ggml_context, Closed> context_;
    ggml_tensor *out_ = nullptr;
    ggml_cgraph *graph_ = nullptr;
    ggml_cplan plan_{};
    std::vector<uint8_t> work_;
};

} // namespace

int main(int count, char **words) {
    if (count != 3) fail("usage: mla_op THREADS VALUES");
    int threads = std::atoi(words[1]), before = std::atoi(words[2]);
    std::unique_ptr<Case> now;
    for (std::string line, word, folder; std::getline(std::cin, line);) {
        std::istringstream in(line);
        in >> word;
        int64_t queries, keys;
        int type;
        if (word == "case" && in >> folder >> queries >> keys >> type) {
            now.reset(); // its memory first
            now = std::make_unique<Case>(folder, queries, keys, static_cast<ggml_type>(type), threads, before);
            std::cout << "ok" << std::endl;
        } else if (word == "run" && now) {
            std::cout << now->run() << std::endl;
        } else {
            fail("not understood: " + line);
        }
    }
}
