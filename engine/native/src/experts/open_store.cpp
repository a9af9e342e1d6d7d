#include "open_store.hpp"

#include "api.h"

#include <mutex>

namespace kimicode {
namespace {

std::mutex             mutex;
std::shared_ptr<Store> store;
std::string            last_error;

thread_local std::string thread_error;

} // namespace

std::shared_ptr<Store> open_store() {
    std::lock_guard lock(mutex);
    return store;
}

void set_open_store(std::shared_ptr<Store> next) {
    {
        std::lock_guard lock(mutex);
        store.swap(next);
    }
    // What was open ends here, without the lock: its reader may have to wait for a drive.
}

void set_error(const std::string &error) {
    thread_error = error;
    std::lock_guard lock(mutex);
    last_error = error;
}

} // namespace kimicode

const char *kimicode_experts_error(void) {
    using namespace kimicode;
    if (thread_error.empty()) {
        std::lock_guard lock(mutex);
        thread_error = last_error;
    }
    return thread_error.c_str();
}
