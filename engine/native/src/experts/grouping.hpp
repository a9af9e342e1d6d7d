// Which tokens selected which expert, expert by expert.

#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace kimicode {

// One expert of one token: the `slot`th of its choices.
struct Choice {
    int token, slot;
};

struct Groups {
    std::vector<int>    experts; // that were selected, each once, lowest first
    std::vector<int>    starts;  // of each one's choices, and behind the last
    std::vector<Choice> choices; // by expert, then by token

    int count(int group) const { return starts[group + 1] - starts[group]; }
    int largest() const;
};

// Raises std::out_of_range where an id is not below `experts`.
Groups grouped(const std::byte *ids, size_t token_stride, int tokens, int used, int experts);

} // namespace kimicode
