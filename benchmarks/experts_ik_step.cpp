// Tokens of a model file that may be larger than memory in ik_llama.cpp (-mla 3 -fa --defer-experts), driven by lines of text as
// experts_step.py is.
//
//     experts_ik_step MODEL CELLS BATCH THREADS plain|prefetch
//
// `prefetch` is its --prefetch-experts. Answers `ready SECONDS` when the model is loaded, and each line that is read with one line:
//     decode SECONDS MOST -> TOKENS SECONDS      tokens one by one until the time is over, at most MOST
//     prefill TOKENS      -> SECONDS             of a prompt
//     counts              -> zeros               it has no store
// What this program does not do: repeat, or judge.

#include "llama.h"

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <iostream>
#include <sstream>
#include <string>

namespace {

constexpr int STRIDE = 7919, DEEPEST = 1024; // as in experts_step.py

[[noreturn]] void fail(const std::string &reason) {
    std::cerr << reason << "\n";
    std::exit(1);
}

double now() { return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count(); }

class Steps {
public:
    Steps(const char *path, int cells, int batch, int threads, bool prefetch) : most_(batch), batch_(llama_batch_init(batch, 0, 1)) {
        llama_model_params model = llama_model_default_params();
        model.mla = 3;
        model.use_mmap = true;
        model.defer_experts = true; // or loading reads the whole file
        model_ = llama_model_load_from_file(path, model);
        if (!model_) fail(std::string(path) + ": the model was not loaded");
        llama_context_params context = llama_context_default_params();
        context.n_ctx = (uint32_t)cells;
        context.n_batch = context.n_ubatch = (uint32_t)batch;
        context.n_threads = context.n_threads_batch = (uint32_t)threads;
        context.flash_attn = true;
        context.mla_attn = 3;
        context.prefetch_experts = prefetch;
        context_ = llama_init_from_model(model_, context);
        if (!context_) fail("no context could be made");
        vocabulary_ = llama_n_vocab(model_);
    }

    std::string decode(double seconds, int most) {
        double begun = now();
        int    step = 0;
        while (step < most) {
            if (step % DEEPEST == 0) forget();
            run(step % DEEPEST, 1, true);
            ++step;
            if (now() - begun >= seconds) break;
        }
        std::string answer = std::to_string(step) + " " + std::to_string(now() - begun);
        forget();
        return answer;
    }

    double prefill(int tokens) {
        forget();
        double begun = now();
        for (int start = 0; start < tokens; start += most_) run(start, std::min(most_, tokens - start), start + most_ >= tokens);
        double seconds = now() - begun;
        forget();
        return seconds;
    }

private:
    void forget() { llama_kv_cache_seq_rm(context_, 0, 0, -1); }

    void run(int depth, int count, bool last) {
        batch_.n_tokens = count;
        for (int i = 0; i < count; ++i) {
            batch_.token[i] = (int)(++number_ * STRIDE % vocabulary_);
            batch_.pos[i] = depth + i;
            batch_.n_seq_id[i] = 1;
            batch_.seq_id[i][0] = 0;
            batch_.logits[i] = last && i == count - 1;
        }
        if (llama_decode(context_, batch_)) fail("a batch failed");
        if (last) llama_get_logits_ith(context_, count - 1);
    }

    int            most_;
    llama_model   *model_ = nullptr;
    llama_context *context_ = nullptr;
    llama_batch    batch_;
    int64_t        number_ = 0;
    int            vocabulary_ = 0;
};

} // namespace

int main(int count, char **words) {
    if (count != 6) fail("usage: experts_ik_step MODEL CELLS BATCH THREADS plain|prefetch");
    llama_log_set([](ggml_log_level, const char *, void *) {}, nullptr);
    llama_backend_init();
    double begun = now();
    Steps  steps(words[1], std::atoi(words[2]), std::atoi(words[3]), std::atoi(words[4]), std::strcmp(words[5], "prefetch") == 0);
    std::cout << "ready " << now() - begun << std::endl;
    for (std::string line, word; std::getline(std::cin, line);) {
        std::istringstream in(line);
        in >> word;
        double seconds;
        int    most;
        if (word == "decode" && in >> seconds >> most) {
            std::cout << steps.decode(seconds, most) << std::endl;
        } else if (word == "prefill" && in >> most) {
            std::cout << steps.prefill(most) << std::endl;
        } else if (word == "counts") {
            std::cout << "0 0 0 0 0 0" << std::endl;
        } else {
            fail("not understood: " + line);
        }
    }
}
