#include "memory.hpp"

#include <cstdint>
#include <sys/mman.h>

namespace kimicode {
namespace {

constexpr size_t HUGE_PAGE = 2u << 20;

} // namespace

Block::~Block() {
    if (start_) munmap(start_, size_);
}

std::byte *Block::reserve(size_t bytes) {
    if (bytes <= size_) return start_;
    if (start_) munmap(start_, size_);
    start_ = nullptr;
    size_ = 0;
    size_t wanted = (bytes + HUGE_PAGE - 1) / HUGE_PAGE * HUGE_PAGE;
    void *found = mmap(nullptr, wanted, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (found == MAP_FAILED) return nullptr;
#ifdef MADV_HUGEPAGE
    madvise(found, wanted, MADV_HUGEPAGE); // advice: nothing depends on it
#endif
    start_ = static_cast<std::byte *>(found);
    size_ = wanted;
    return start_;
}

} // namespace kimicode
