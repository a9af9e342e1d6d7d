// The routed experts of one layer in the installed llama.cpp's processor backend, and how fast memory can be read; driven by lines of text.
//
//     experts_op THREADS
//
// Lines that are read, and the one line that answers each:
//     load FILE EXPERTS WIDTH HIDDEN GATE UP DOWN WAY  -> ok     experts' Q4_0 matrices from FILE, at these offsets, into memory: `plain`, as
//                                                                they lie there, or `repacked`, as a normal load of the model has them
//     case FOLDER TOKENS SETS USED                     -> ok     reads FOLDER/x (f32 [TOKENS][WIDTH]) and ids (i32 [SETS][TOKENS][USED]);
//                                                                computes the first set, writes FOLDER/out (f32 [TOKENS][USED][WIDTH])
//     run                                              -> the seconds that the next set took
//     bandwidth                                        -> bytes a second that all threads read together, the best of some tries
// What this program does not do: make data, repeat, or judge.

#include "ggml-alloc.h"
#include "ggml-backend.h"
#include "ggml-cpu.h"
#include "ggml.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iostream>
#include <memory>
#include <numeric>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

namespace {

constexpr size_t SHARE = size_t(1) << 30; // bytes that each thread reads
constexpr int    TRIES = 8;

[[noreturn]] void fail(const std::string &reason) {
    std::cerr << reason << "\n";
    std::exit(1);
}

double seconds_of(const auto &work) {
    auto begun = std::chrono::steady_clock::now();
    work();
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - begun).count();
}

void read(const std::string &path, void *to, size_t bytes) {
    std::ifstream file(path, std::ios::binary);
    if (!file.read(static_cast<char *>(to), (std::streamsize)bytes)) fail(path + ": it has fewer bytes than " + std::to_string(bytes));
}

// Eight sums at a time, so that additions don't wait for each other.
uint64_t sum(const uint64_t *from, size_t count) {
    uint64_t sums[8 * 4] = {};
    for (size_t i = 0; i < count; i += 32)
        for (size_t j = 0; j < 32; ++j) sums[j] += from[i + j];
    return std::accumulate(std::begin(sums), std::end(sums), uint64_t(0));
}

double bandwidth(int threads) {
    std::vector<uint64_t *> shares((size_t)threads);
    std::vector<uint64_t>   sums((size_t)threads);
    auto together = [&](const auto &work) {
        std::vector<std::jthread> team;
        for (size_t i = 0; i < shares.size(); ++i) team.emplace_back([&, i] { work(i); });
    };
    together([&](size_t i) {
        void *share = mmap(nullptr, SHARE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (share == MAP_FAILED) fail("there is no memory to read");
        madvise(share, SHARE, MADV_HUGEPAGE);
        memset(share, 1, SHARE);
        shares[i] = static_cast<uint64_t *>(share);
    });
    double best = 1e9;
    for (int i = 0; i < TRIES; ++i)
        best = std::min(best, seconds_of([&] { together([&](size_t j) { sums[j] = sum(shares[j], SHARE / sizeof(uint64_t)); }); }));
    if (std::accumulate(sums.begin(), sums.end(), uint64_t(0)) == 0) fail("memory lost what was written to it");
    for (uint64_t *share : shares) munmap(share, SHARE);
    return double(SHARE) * threads / best;
}

struct Closed {
    void operator()(ggml_context *context) const { ggml_free(context); }
    void operator()(ggml_backend *backend) const { ggml_backend_free(backend); }
    void operator()(ggml_backend_buffer *buffer) const { ggml_backend_buffer_free(buffer); }
};
using Context = std::unique_ptr<ggml_context, Closed>;
using Buffer = std::unique_ptr<ggml_backend_buffer, Closed>;

Context context_of(size_t bytes) { return Context(ggml_init({bytes, nullptr, true})); }

ggml_backend_buffer_type_t buffer_type(const std::string &way) {
    if (way == "plain") return ggml_backend_cpu_buffer_type();
    ggml_backend_dev_t device = ggml_backend_reg_dev_get(ggml_backend_cpu_reg(), 0);
    auto others = (ggml_backend_dev_get_extra_bufts_t)ggml_backend_reg_get_proc_address(ggml_backend_cpu_reg(), "ggml_backend_dev_get_extra_bufts");
    for (auto type = others ? others(device) : nullptr; type && *type; ++type)
        if (std::strcmp(ggml_backend_buft_name(*type), "CPU_REPACK") == 0) return *type;
    fail("there is no buffer of repacked weights here");
}

// The weights of a layer.
class Layer {
public:
    Layer(std::istream &in) {
        std::string path, way;
        size_t      at[3];
        in >> path >> experts >> width >> hidden >> at[0] >> at[1] >> at[2] >> way;
        if (!in) fail("not understood: load");
        context_ = context_of(4 * ggml_tensor_overhead());
        for (int i = 0; i < 3; ++i)
            parts[i] = ggml_new_tensor_3d(context_.get(), GGML_TYPE_Q4_0, i == 2 ? hidden : width, i == 2 ? width : hidden, experts);
        buffer_.reset(ggml_backend_alloc_ctx_tensors_from_buft(context_.get(), buffer_type(way)));
        if (!buffer_) fail("there is no memory for the experts");
        int file = open(path.c_str(), O_RDONLY);
        for (int i = 0; i < 3; ++i) {
            size_t page = (size_t)sysconf(_SC_PAGESIZE), from = at[i] / page * page, bytes = at[i] - from + ggml_nbytes(parts[i]);
            auto  *mapped = mmap(nullptr, bytes, PROT_READ, MAP_PRIVATE, file, (off_t)from);
            if (file < 0 || mapped == MAP_FAILED) fail(path + ": it can't be read");
            ggml_backend_tensor_set(parts[i], static_cast<char *>(mapped) + (at[i] - from), 0, ggml_nbytes(parts[i]));
            munmap(mapped, bytes);
        }
        close(file);
    }

    int64_t      experts, width, hidden;
    ggml_tensor *parts[3];

private:
    Context context_;
    Buffer  buffer_;
};

// One case: the graph of a layer's three products, as llama.cpp's own models make it.
class Case {
public:
    Case(const std::string &folder, const Layer &layer, ggml_backend_t backend, int64_t tokens, int64_t sets, int64_t used)
        : backend_(backend), ids_((size_t)(sets * tokens * used)), context_(context_of(64 * ggml_tensor_overhead() + ggml_graph_overhead())) {
        ggml_context *c = context_.get();
        ggml_tensor  *x = ggml_new_tensor_3d(c, GGML_TYPE_F32, layer.width, 1, tokens);
        set_ = ggml_new_tensor_2d(c, GGML_TYPE_I32, used, tokens);
        ggml_set_input(x);
        ggml_set_input(set_);
        ggml_tensor *gate = ggml_mul_mat_id(c, layer.parts[0], x, set_), *up = ggml_mul_mat_id(c, layer.parts[1], x, set_);
        ggml_tensor *out = ggml_mul_mat_id(c, layer.parts[2], ggml_swiglu_split(c, gate, up), set_);
        ggml_set_output(out);
        graph_ = ggml_new_graph(c);
        ggml_build_forward_expand(graph_, out);
        buffer_.reset(ggml_backend_alloc_ctx_tensors(c, backend));
        if (!buffer_) fail("there is no memory for the case");
        std::vector<char> bytes(std::max(ggml_nbytes(x), ggml_nbytes(out)));
        read(folder + "/x", bytes.data(), ggml_nbytes(x));
        ggml_backend_tensor_set(x, bytes.data(), 0, ggml_nbytes(x));
        read(folder + "/ids", ids_.data(), ids_.size() * sizeof(int32_t));
        run();
        ggml_backend_tensor_get(out, bytes.data(), 0, ggml_nbytes(out));
        std::ofstream(folder + "/out", std::ios::binary).write(bytes.data(), (std::streamsize)ggml_nbytes(out));
    }

    double run() {
        size_t bytes = ggml_nbytes(set_), sets = ids_.size() * sizeof(int32_t) / bytes;
        ggml_backend_tensor_set(set_, reinterpret_cast<char *>(ids_.data()) + next_++ % sets * bytes, 0, bytes);
        return seconds_of([&] {
            if (ggml_backend_graph_compute(backend_, graph_) != GGML_STATUS_SUCCESS) fail("the layer failed");
        });
    }

private:
    ggml_backend_t       backend_;
    std::vector<int32_t> ids_;
    Context              context_;
    Buffer               buffer_;
    ggml_tensor         *set_ = nullptr;
    ggml_cgraph         *graph_ = nullptr;
    size_t               next_ = 0;
};

} // namespace

int main(int count, char **words) {
    if (count != 2) fail("usage: experts_op THREADS");
    int threads = std::atoi(words[1]);
    std::unique_ptr<ggml_backend, Closed> backend(ggml_backend_cpu_init());
    ggml_backend_cpu_set_n_threads(backend.get(), threads);
    std::unique_ptr<Layer> layer;
    std::unique_ptr<Case>  now;
    for (std::string line, word, folder; std::getline(std::cin, line);) {
        std::istringstream in(line);
        in >> word;
        int64_t tokens, sets, used;
        if (word == "load") {
            now.reset();
            layer.reset();
            layer = std::make_unique<Layer>(in);
            std::cout << "ok" << std::endl;
        } else if (word == "case" && layer && in >> folder >> tokens >> sets >> used) {
            now.reset();
            now = std::make_unique<Case>(folder, *layer, backend.get(), tokens, sets, used);
            std::cout << "ok" << std::endl;
        } else if (word == "run" && now) {
            std::cout << now->run() << std::endl;
        } else if (word == "bandwidth") {
            std::cout << bandwidth(threads) << std::endl;
        } else {
            fail("not understood: " + line);
        }
    }
}
