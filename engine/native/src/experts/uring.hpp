// Reads by io_uring: many on the way at a time, submitted and collected by one thread. Raw system calls, no library.
// What this does not do: try again what failed.

#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

namespace kimicode::reading {

// One thread's, but for `wake`.
class Ring {
  public:
    virtual ~Ring() = default; // when nothing is on the way

    // Read from the descriptor with this index; what `pop` gives back has the same tag. No more than `entries` at a time.
    virtual void push(uint64_t tag, int index, std::byte *into, size_t bytes, uint64_t offset) = 0;
    // Submit what was pushed and wait until something is there, or somebody called `wake`.
    virtual void wait() = 0;
    // One that is there: the bytes read, or errno's number, negative.
    virtual bool pop(uint64_t &tag, long &result) = 0;
    // Let `wait` return, now or when it is called. Any thread.
    virtual void wake() = 0;
};

// Raises std::system_error where there is none (ENOSYS, also of a kernel before 5.6), it is forbidden (EPERM), or memory or descriptors are
// short (ENOMEM, EMFILE).
std::unique_ptr<Ring> open_ring(unsigned entries, const std::vector<int> &descriptors);

} // namespace kimicode::reading
