// Memory for kernels: aligned, in huge pages where the system allows them, kept from call to call.

#pragma once

#include <cstddef>

namespace kimicode {

// A block that only grows; what it held is lost when it does. Not for several threads at once.
class Block {
  public:
    static constexpr size_t PAGE = 2u << 20; // of x86-64 and most ARM; a block begins with one

    Block() = default;
    ~Block();
    Block(const Block &) = delete;
    Block &operator=(const Block &) = delete;

    // At least `bytes`; null where there is no memory. No page is touched before it is written to.
    std::byte *reserve(size_t bytes);

  private:
    std::byte *start_ = nullptr;
    size_t     size_ = 0;
};

} // namespace kimicode
