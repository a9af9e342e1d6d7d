// What every backend of ours has: a team of as many threads as llama.cpp was given.

#pragma once

#include "ggml_abi.hpp"
#include "team.hpp"

namespace kimicode {

struct Worker {
    Team team{1};
    virtual ~Worker() = default;
};

inline Worker &worker_of(ggml::Backend *backend) { return *static_cast<Worker *>(backend->context); }

inline void release_worker(ggml::Backend *backend) {
    delete &worker_of(backend);
    delete backend;
}

} // namespace kimicode
