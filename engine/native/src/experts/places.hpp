// Memory for experts: places of equal size, used again and again.
//
// Made as they are needed, in huge pages where the system allows them, many at a time. What is freed goes back to the system, at the latest
// with the last of those that were made together. What this does not do: know what is in a place. Not for several threads at once.

#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <vector>

namespace kimicode {

class Places {
  public:
    // `bytes` of a place: a multiple of 4,096.
    explicit Places(size_t bytes) : bytes_(bytes) {}
    ~Places();
    Places(const Places &) = delete;
    Places &operator=(const Places &) = delete;

    size_t bytes() const { return bytes_; }
    size_t made() const { return made_; } // places that have memory, whether they are in use or not
    size_t spare() const { return spare_.size(); }

    // A place: one that was put back, or a new one while there are fewer than `limit`. Null where there are as many, and where the system
    // has no memory.
    std::byte *take(size_t limit);
    std::byte *fresh(size_t limit); // a new one in any case
    void       put(std::byte *place); // to be taken again
    void       drop();                // give the memory of a spare place back

  private:
    struct Chunk {
        size_t                   bytes, used; // used: places of it that have memory
        std::vector<std::byte *> unmade;
    };

    bool add_chunk(size_t limit);

    size_t                       bytes_, made_ = 0;
    std::vector<std::byte *>     spare_;
    std::map<std::byte *, Chunk> chunks_;
    std::vector<std::byte *>     roomy_; // chunks with places that have no memory
};

} // namespace kimicode
