#include "grouping.hpp"

#include <algorithm>
#include <cstring>
#include <stdexcept>
#include <string>

namespace kimicode {

int Groups::largest() const {
    int most = 0;
    for (size_t group = 0; group < experts.size(); ++group) most = std::max(most, count((int)group));
    return most;
}

Groups grouped(const std::byte *ids, size_t token_stride, int tokens, int used, int experts) {
    std::vector<int32_t> chosen((size_t)tokens * used);
    std::vector<int>     counts(experts);
    for (int token = 0; token < tokens; ++token) {
        memcpy(&chosen[(size_t)token * used], ids + token * token_stride, used * sizeof(int32_t));
        for (int slot = 0; slot < used; ++slot) {
            int32_t id = chosen[(size_t)token * used + slot];
            if (id < 0 || id >= experts) throw std::out_of_range("expert " + std::to_string(id) + " of " + std::to_string(experts));
            ++counts[id];
        }
    }
    Groups           groups;
    std::vector<int> next(experts);
    for (int expert = 0, start = 0; expert < experts; ++expert) {
        next[expert] = start;
        if (!counts[expert]) continue;
        groups.experts.push_back(expert);
        groups.starts.push_back(start);
        start += counts[expert];
    }
    groups.starts.push_back((int)chosen.size());
    groups.choices.resize(chosen.size());
    for (int token = 0; token < tokens; ++token)
        for (int slot = 0; slot < used; ++slot) groups.choices[next[chosen[(size_t)token * used + slot]]++] = {token, slot};
    return groups;
}

} // namespace kimicode
