// Which expert to drop from memory when another one needs its place. Pure arithmetic over numbered experts, no memory, no threads.

#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace kimicode {

class Policy {
  public:
    virtual ~Policy() = default;

    // A layer's computation has used these experts; time is counted in these calls. `scan`: a prompt, which uses nearly all of them once.
    virtual void used(const std::vector<int> &experts, bool scan) = 0;

    // What an expert in memory is worth; the one with the least goes first.
    virtual double worth(int expert) const = 0;
};

// "lru", "lfu" or "lfru" for experts 0 .. count - 1; null for any other name.
std::unique_ptr<Policy> policy_named(const std::string &name, int count);

} // namespace kimicode
