// What a reader asks of the operating system; tests have one of their own, which fails when it is told to.

#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace kimicode::reading {

class Ring;

// What tells one state of a file from another.
struct Identity {
    uint64_t size, inode, device;
    int64_t  changed; // nanoseconds since 1970

    bool operator==(const Identity &) const = default;
};

// Results below 0 are errno's numbers, negative.
struct System {
    std::function<int(const std::string &path, bool direct)>                                   open; // a descriptor
    std::function<void(int descriptor)>                                                        close;
    std::function<long(int descriptor, std::byte *into, size_t bytes, uint64_t offset)>        read;
    std::function<void(int descriptor, uint64_t offset, size_t bytes)>                         forget;
    std::function<int(int descriptor, Identity &)>                                             identify;
    std::function<int(const std::string &path, Identity &)>                                    identify_path;
    std::function<std::unique_ptr<Ring>(unsigned entries, const std::vector<int> &descriptors)> ring; // raises std::system_error

    static System real();
};

} // namespace kimicode::reading
