// Which expert to drop from memory when another one needs its place. Pure arithmetic over numbered experts, no memory, no threads.
//
// An expert's worth changes only when a computation uses it: who ranks experts by it need not look at all of them again and again. A prompt
// uses nearly all experts of every layer once, in turn, and goes through more of them than there is room for: it changes no worth at all.
// So what decoding will need survives it, those that it keeps are the same ones for each of its micro-batches, and the others pass through
// the few places of what it has just done with.

#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace kimicode {

class Policy {
  public:
    virtual ~Policy() = default;

    // A layer's computation has used these experts. `scan`: a prompt.
    virtual void used(const std::vector<int> &experts, bool scan) = 0;

    // What an expert is worth; the one with the least goes first. No two experts that no computation has used are worth the same.
    virtual double worth(int expert) const = 0;
};

// "lru", "lfu" or "lfru" for experts 0 .. count - 1; null for any other name.
std::unique_ptr<Policy> policy_named(const std::string &name, int count);

} // namespace kimicode
