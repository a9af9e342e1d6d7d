// The division of some work as text, for tests: QUERIES KEYS HEADS TILE THREADS MASK-FILE, the mask f16 [queries][keys].
//
// Lines: "group QUERY QUERIES MOST ROWS-BEFORE", "slots" and "list" of the group before; "piece GROUP QUERY QUERIES KEY KEYS LISTED SLOT COST";
// "rows PARTIAL-ROWS".

#include "division.hpp"

#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <vector>

using namespace kimicode;

int main(int count, char **arguments) {
    if (count != 7) return 2;
    Attention a{};
    a.queries = atoi(arguments[1]);
    a.keys = atoi(arguments[2]);
    a.heads = atoi(arguments[3]);
    a.width = 576;
    a.latent = 512;
    int tile = atoi(arguments[4]), threads = atoi(arguments[5]);
    std::vector<char> mask((size_t)a.queries * a.keys * 2);
    std::ifstream(arguments[6], std::ios::binary).read(mask.data(), (std::streamsize)mask.size());
    a.mask = reinterpret_cast<const std::byte *>(mask.data());
    a.mask_query = (size_t)a.keys * 2;
    Team team(threads < 4 ? threads : 4);
    Division d = divide(a, look(a, tile, threads, team), threads, team);
    for (const Group &group : d.groups) {
        printf("group %d %d %d %zu\nslots", group.query, group.queries, group.most, group.place);
        for (int slots : group.slots) printf(" %d", slots);
        printf("\nlist");
        for (int cell : group.list) printf(" %d", cell);
        printf("\n");
    }
    for (const Piece &p : d.pieces)
        printf("piece %d %d %d %d %d %d %d %.1f\n", p.group, p.query, p.queries, p.key, p.keys, p.listed, p.slot, p.cost);
    printf("rows %zu\n", d.rows);
}
