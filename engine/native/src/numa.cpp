#include "numa.hpp"

#include <algorithm>
#include <climits>
#include <cstdint>
#include <cstdlib>
#include <fstream>
#include <utility>

#ifdef __linux__
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>
#endif

namespace kimicode {
namespace {

constexpr int BITS = sizeof(unsigned long) * CHAR_BIT;

std::string line_of(const std::string &path) {
    std::ifstream file(path);
    std::string line;
    std::getline(file, line);
    return line;
}

std::vector<unsigned long> bits_of(const std::vector<int> &nodes) {
    std::vector<unsigned long> bits;
    for (int node : nodes) {
        if (bits.size() <= (size_t)node / BITS) bits.resize(node / BITS + 1);
        bits[node / BITS] |= 1ul << node % BITS;
    }
    return bits;
}

#ifdef __linux__

// From linux/mempolicy.h, which is not always installed.
constexpr int DEFAULT_POLICY = 0, INTERLEAVE_POLICY = 3;
constexpr unsigned MOVE = 1u << 1;

bool may_run_on(int processor) {
    constexpr int MOST = INT16_MAX; // the kernel wants room for all of its processors
    std::vector<unsigned long> set(MOST / BITS + 1);
    long size = syscall(SYS_sched_getaffinity, 0, set.size() * sizeof set[0], set.data());
    return size > 0 && processor < MOST && set[processor / BITS] >> processor % BITS & 1;
}

bool unbound() {
    int policy = -1;
    return syscall(SYS_get_mempolicy, &policy, nullptr, 0ul, nullptr, 0ul) == 0 && policy == DEFAULT_POLICY;
}

void interleave(void *start, size_t bytes, const std::vector<unsigned long> &nodes) {
    syscall(SYS_mbind, start, bytes, INTERLEAVE_POLICY, nodes.data(), nodes.size() * BITS + 1, MOVE);
}

void huge_pages(void *start, size_t bytes) { madvise(start, bytes, MADV_HUGEPAGE); }

#endif

} // namespace

Pages Pages::of_system() {
#ifdef __linux__
    Pages pages{.may_run_on = kimicode::may_run_on, .unbound = kimicode::unbound, .interleave = kimicode::interleave,
                .huge_pages = kimicode::huge_pages};
    pages.size = (size_t)sysconf(_SC_PAGESIZE);
    return pages;
#else
    auto never = [](int) { return false; };
    return Pages{.nodes = "", .huge = "", .may_run_on = never, .unbound = [] { return false; },
                 .interleave = [](void *, size_t, const std::vector<unsigned long> &) {}, .huge_pages = [](void *, size_t) {}};
#endif
}

std::vector<int> numbers(const std::string &list) {
    std::vector<int> all;
    for (const char *at = list.c_str(); *at >= '0' && *at <= '9';) {
        char *end;
        long first = std::strtol(at, &end, 10), last = first;
        if (*end == '-') last = std::strtol(end + 1, &end, 10);
        for (long i = first; i <= last && i < INT16_MAX; ++i) all.push_back((int)i);
        at = *end == ',' ? end + 1 : end;
    }
    return all;
}

std::vector<int> nodes_of(const Pages &pages) {
    std::vector<int> nodes = numbers(line_of(pages.nodes + "/has_memory"));
    std::erase_if(nodes, [&](int node) {
        std::vector<int> processors = numbers(line_of(pages.nodes + "/node" + std::to_string(node) + "/cpulist"));
        return std::none_of(processors.begin(), processors.end(), pages.may_run_on);
    });
    return nodes;
}

Settler::Settler(Pages pages) : pages_(std::move(pages)) {
    if (std::vector<int> nodes = nodes_of(pages_); nodes.size() > 1 && pages_.unbound()) nodes_ = bits_of(nodes);
    std::string huge = line_of(pages_.huge);
    huge_ = huge.find("[always]") != std::string::npos || huge.find("[madvise]") != std::string::npos;
}

void Settler::settle(const void *start, size_t bytes) {
    if (std::pair range{start, bytes}; std::find(done_.begin(), done_.end(), range) == done_.end()) {
        done_.push_back(range);
    } else {
        return;
    }
    uintptr_t from = reinterpret_cast<uintptr_t>(start), to = (from + bytes) / pages_.size * pages_.size;
    from = (from + pages_.size - 1) / pages_.size * pages_.size;
    if (from >= to) return;
    void *first = reinterpret_cast<void *>(from);
    if (huge_) pages_.huge_pages(first, to - from);
    if (!nodes_.empty()) pages_.interleave(first, to - from, nodes_);
}

} // namespace kimicode
