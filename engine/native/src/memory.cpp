#include "memory.hpp"

#include <cstdint>
#include <sys/mman.h>

namespace kimicode {

Block::~Block() {
    if (start_) munmap(start_, size_);
}

std::byte *Block::reserve(size_t bytes) {
    if (bytes <= size_) return start_;
    if (start_) munmap(start_, size_);
    start_ = nullptr;
    size_ = 0;
    size_t wanted = (bytes + PAGE - 1) / PAGE * PAGE;
    void *found = mmap(nullptr, wanted + PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (found == MAP_FAILED) return nullptr;
    // What lies before and behind whole huge pages goes back.
    std::byte *mapped = static_cast<std::byte *>(found);
    size_t before = (PAGE - reinterpret_cast<uintptr_t>(mapped) % PAGE) % PAGE;
    if (before) munmap(mapped, before);
    munmap(mapped + before + wanted, PAGE - before);
    start_ = mapped + before;
    size_ = wanted;
#ifdef MADV_HUGEPAGE
    madvise(start_, size_, MADV_HUGEPAGE); // advice: nothing depends on it
#endif
    return start_;
}

} // namespace kimicode
