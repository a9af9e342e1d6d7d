#include "places.hpp"

#include "../memory.hpp"

#include <algorithm>
#include <sys/mman.h>

namespace kimicode {
namespace {

constexpr size_t TOGETHER = 256u << 20; // made at once: what the last huge page of it wastes is less than 1 %

size_t rounded(size_t bytes) { return (bytes + Block::PAGE - 1) / Block::PAGE * Block::PAGE; }

// Whole huge pages; null where there is no memory.
std::byte *mapped(size_t bytes) {
    void *found = mmap(nullptr, bytes + Block::PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (found == MAP_FAILED) return nullptr;
    std::byte *start = static_cast<std::byte *>(found);
    size_t before = (Block::PAGE - reinterpret_cast<uintptr_t>(start) % Block::PAGE) % Block::PAGE;
    if (before) munmap(start, before);
    munmap(start + before + bytes, Block::PAGE - before);
#ifdef MADV_HUGEPAGE
    madvise(start + before, bytes, MADV_HUGEPAGE); // advice: nothing depends on it
#endif
    return start + before;
}

} // namespace

Places::~Places() {
    for (auto &[start, chunk] : chunks_) munmap(start, chunk.bytes);
}

std::byte *Places::take(size_t limit) {
    if (!spare_.empty()) {
        std::byte *place = spare_.back();
        spare_.pop_back();
        return place;
    }
    return fresh(limit);
}

std::byte *Places::fresh(size_t limit) {
    if (made_ >= limit || (roomy_.empty() && !add_chunk(limit))) return nullptr;
    Chunk &chunk = chunks_.at(roomy_.back());
    std::byte *place = chunk.unmade.back();
    chunk.unmade.pop_back();
    if (chunk.unmade.empty()) roomy_.pop_back();
    ++chunk.used;
    ++made_;
    return place;
}

void Places::put(std::byte *place) { spare_.push_back(place); }

void Places::drop() {
    std::byte *place = spare_.back();
    spare_.pop_back();
    --made_;
    auto found = std::prev(chunks_.upper_bound(place));
    auto &[start, chunk] = *found;
    if (--chunk.used == 0) {
        std::erase(roomy_, start);
        munmap(start, chunk.bytes);
        chunks_.erase(found);
        return;
    }
    madvise(place, bytes_, MADV_DONTNEED);
    if (chunk.unmade.empty()) roomy_.push_back(start);
    chunk.unmade.push_back(place);
}

bool Places::add_chunk(size_t limit) {
    // Where the system refuses many, it may still have a few.
    for (size_t count = std::clamp<size_t>(TOGETHER / bytes_, 1, limit - made_); count > 0; count /= 2) {
        size_t bytes = rounded(count * bytes_);
        std::byte *start = mapped(bytes);
        if (!start) continue;
        Chunk chunk{bytes, 0, {}};
        for (size_t i = count; i-- > 0;) chunk.unmade.push_back(start + i * bytes_);
        chunks_.emplace(start, std::move(chunk));
        roomy_.push_back(start);
        return true;
    }
    return false;
}

} // namespace kimicode
