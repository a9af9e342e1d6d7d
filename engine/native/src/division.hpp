// How the work is divided, on paper: which queries meet which cells in which piece of work, and where its result goes.
//
// Queries are taken in groups: a tile of cells is read once for all queries of a group, so cells that sequences share are read once for all
// of them. Pieces of a group are equal by what its queries see, not by how many cells there are. Where queries see few of the cells that
// they would be computed with (sequences that grow side by side lie interleaved in the cache), the cells are listed instead, those that the
// same queries see side by side, and every query meets little more than its own. What this does not do: compute (attention.cpp).

#pragma once

#include "sight.hpp"

#include <cstdint>
#include <vector>

namespace kimicode {

// Queries of a group that see the cells of a piece, and those cells. A piece's result is a partial one, number `slot` of each of its queries.
struct Piece {
    int    group;
    int    query, queries;
    int    key, keys; // of the cache, or of the group's list
    bool   listed;
    int    slot;
    double cost;      // in products of one query with one whole tile
};

struct Group {
    int                  query, queries;
    std::vector<int32_t> list;  // cells
    std::vector<int>     slots; // of each query, how many partial results it has
    int                  most;  // the most of them; one needs no merging
    size_t               place; // rows of partial results before this group's, which are [slot][query][head]
};

struct Division {
    std::vector<Group> groups;
    std::vector<Piece> pieces;   // the dearest first
    size_t             rows = 0; // of partial results that wait to be merged
    int                largest = 0; // queries of a piece
    bool               lists = false;
    double             cost = 0;
};

// How many queries may be divided at once, so that partial results stay within PARTIAL bytes.
constexpr size_t PARTIAL = 64u << 20;
int              wave(const Attention &);

// For `threads` threads, planned by those of `team`. At most `wave` queries. Raises std::bad_alloc.
Division divide(const Attention &, const Sight &, int threads, Team &team);

} // namespace kimicode
