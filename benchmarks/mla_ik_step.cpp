// Whole steps of a model file in ik_llama.cpp (-mla 3 -fa), driven by lines of text as mla_step.py is.
//
//     mla_ik_step MODEL CELLS THREADS
//
// Answers `ready` when the model is loaded. Lines that are read, and the one line that answers each:
//     save FILE            -> ok       the saved state of one token at position 0
//     restore FILE COUNT   -> ok       the cache holds these COUNT tokens and nothing else
//     decode COUNT         -> the seconds that COUNT tokens behind them took, which are then forgotten
// What this program does not do: repeat, or judge.

#include "llama.h"

#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <iterator>
#include <sstream>
#include <string>
#include <vector>

namespace {

constexpr int BATCH = 512;
constexpr int STRIDE = 7919; // as in mla_step.py

[[noreturn]] void fail(const std::string &reason) {
    std::cerr << reason << "\n";
    std::exit(1);
}

class Steps {
public:
    Steps(const char *path, int cells, int threads) : batch_(llama_batch_init(BATCH, 0, 1)) {
        llama_model_params model = llama_model_default_params();
        model.mla = 3;
        model.use_mmap = false; // or pages would fault in as steps meet new experts; the others' weights are in memory from the start
        model_ = llama_model_load_from_file(path, model);
        if (!model_) fail(std::string(path) + ": the model was not loaded");
        llama_context_params context = llama_context_default_params();
        context.n_ctx = cells;
        context.n_batch = context.n_ubatch = BATCH;
        context.n_threads = context.n_threads_batch = threads;
        context.flash_attn = true;
        context.mla_attn = 3;
        context_ = llama_init_from_model(model_, context);
        if (!context_) fail("no context could be made");
        vocabulary_ = llama_n_vocab(model_);
    }

    void save(const std::string &path) {
        clear();
        fill(1);
        if (llama_decode(context_, batch_)) fail("a batch failed");
        std::vector<uint8_t> state(llama_state_seq_get_size(context_, 0, 0));
        size_t written = llama_state_seq_get_data(context_, state.data(), state.size(), 0, 0);
        std::ofstream(path, std::ios::binary).write(reinterpret_cast<char *>(state.data()), (std::streamsize)written);
        clear();
    }

    void restore(const std::string &path, int count) {
        clear();
        if (count == 0) return;
        std::ifstream file(path, std::ios::binary);
        std::vector<char> state{std::istreambuf_iterator<char>(file), {}};
        if (llama_state_seq_set_data(context_, reinterpret_cast<uint8_t *>(state.data()), state.size(), 0, 0) != state.size())
            fail(path + ": the state was not taken");
        depth_ = count;
    }

    double decode(int count) {
        fill(count);
        auto begun = std::chrono::steady_clock::now();
        if (llama_decode(context_, batch_)) fail("a batch failed");
        llama_get_logits_ith(context_, count - 1);
        double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begun).count();
        llama_kv_cache_seq_rm(context_, 0, depth_, -1);
        return seconds;
    }

private:
    void clear() {
        llama_kv_cache_seq_rm(context_, 0, 0, -1);
        depth_ = 0;
    }

    void fill(int count) {
        batch_.n_tokens = count;
        for (int i = 0; i < count; ++i) {
            batch_.token[i] = (int)(++number_ * STRIDE % vocabulary_);
            batch_.pos[i] = depth_ + i;
            batch_.n_seq_id[i] = 1;
            batch_.seq_id[i][0] = 0;
            batch_.logits[i] = i == count - 1;
        }
    }

    llama_model   *model_ = nullptr;
    llama_context *context_ = nullptr;
    llama_batch    batch_;
    int64_t        number_ = 0;
    int            depth_ = 0, vocabulary_ = 0;
};

} // namespace

int main(int count, char **words) {
    if (count != 4) fail("usage: mla_ik_step MODEL CELLS THREADS");
    llama_log_set([](ggml_log_level, const char *, void *) {}, nullptr);
    llama_backend_init();
    Steps steps(words[1], std::atoi(words[2]), std::atoi(words[3]));
    std::cout << "ready" << std::endl;
    for (std::string line, word, path; std::getline(std::cin, line);) {
        std::istringstream in(line);
        in >> word;
        int tokens;
        if (word == "save" && in >> path) {
            steps.save(path);
            std::cout << "ok" << std::endl;
        } else if (word == "restore" && in >> path >> tokens) {
            steps.restore(path, tokens);
            std::cout << "ok" << std::endl;
        } else if (word == "decode" && in >> tokens && tokens > 0 && tokens <= BATCH) {
            std::cout << steps.decode(tokens) << std::endl;
        } else {
            fail("not understood: " + line);
        }
    }
}
