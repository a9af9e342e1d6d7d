// What the cache's memory is told on a machine whose /sys is a folder: ROOT PROCESSORS BOUND, for test_numa.py.
//
// ROOT holds nodes/ and huge; the process may run on processors 0 to PROCESSORS - 1; BOUND is 1 where its memory has a policy already. Settles
// two ranges, the first twice, and prints "nodes" and each call.

#include "numa.hpp"

#include <cstdio>
#include <cstdlib>

using namespace kimicode;

namespace {

constexpr size_t PAGE = 4096;
int  processors;
bool bound;

void *start_of(size_t page) { return reinterpret_cast<void *>(page * PAGE); }
size_t page_of(const void *start) { return reinterpret_cast<size_t>(start) / PAGE; }

} // namespace

int main(int count, char **arguments) {
    if (count != 4) return 2;
    processors = atoi(arguments[2]);
    bound = atoi(arguments[3]);
    Pages pages{};
    pages.nodes = std::string(arguments[1]) + "/nodes";
    pages.huge = std::string(arguments[1]) + "/huge";
    pages.may_run_on = [](int processor) { return processor < processors; };
    pages.unbound = [] { return !bound; };
    pages.interleave = [](void *start, size_t bytes, const std::vector<unsigned long> &nodes) {
        printf("interleave %zu %zu %lx\n", page_of(start), bytes, nodes[0]);
    };
    pages.huge_pages = [](void *start, size_t bytes) { printf("huge %zu %zu\n", page_of(start), bytes); };
    printf("nodes");
    for (int node : nodes_of(pages)) printf(" %d", node);
    printf("\n");
    Settler settler(pages);
    const char *first = static_cast<const char *>(start_of(100)) + 64; // not at a page's start, as llama.cpp's buffers
    settler.settle(first, 3 * PAGE);
    settler.settle(first, 3 * PAGE);
    settler.settle(start_of(200), PAGE);
    settler.settle(start_of(300), PAGE - 1); // no whole page
    Settler of_system;                       // must do no harm where there is nothing to settle
    std::vector<char> real(64 * PAGE, 1);
    of_system.settle(real.data(), real.size());
    return real[63 * PAGE] == 1 ? 0 : 1;
}
