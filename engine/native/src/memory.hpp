// Memory for kernels: aligned, in huge pages where the system allows them, kept from call to call.

#pragma once

#include <cstddef>

namespace kimicode {

// A block that only grows; what it held is lost when it does. Not for several threads at once.
class Block {
  public:
    Block() = default;
    ~Block();
    Block(const Block &) = delete;
    Block &operator=(const Block &) = delete;

    // At least `bytes`, aligned to 64; null where there is no memory.
    std::byte *reserve(size_t bytes);

  private:
    std::byte *start_ = nullptr;
    size_t     size_ = 0;
};

} // namespace kimicode
