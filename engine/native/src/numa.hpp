// Where the cache's memory lies: over all nodes of a machine that has several, and in huge pages where the system allows them.
//
// llama.cpp clears a new cache with one thread, so all of it lies on that thread's node, and every other node reads it through one link. All
// of this is advice, given once for each range: what the system refuses changes nothing. Measured on one node with one thread, f16 cells:
// huge pages are worth 0.5 % at 32,768 cells and 1 % at 131,072, too little for having the kernel copy a cache into them at once
// (MADV_COLLAPSE); it does so by and by. What this does not do: pin threads, which llama.cpp does itself (llama_numa_init), or move
// memory for a process whose memory or processors were already restricted to a node.

#pragma once

#include <cstddef>
#include <string>
#include <utility>
#include <vector>

namespace kimicode {

// What the system is asked and told; tests have one of their own.
struct Pages {
    std::string nodes = "/sys/devices/system/node";
    std::string huge = "/sys/kernel/mm/transparent_hugepage/enabled";
    size_t      size = 4096;
    bool (*may_run_on)(int processor);                                                      // this process
    bool (*unbound)();                                                                      // nobody chose where its memory lies
    void (*interleave)(void *start, size_t bytes, const std::vector<unsigned long> &nodes); // bits, lowest node first
    void (*huge_pages)(void *start, size_t bytes);

    static Pages of_system();
};

// Numbers in the form that /sys has them in: "0-3,8".
std::vector<int> numbers(const std::string &list);

// The nodes with memory whose processors this process may run on.
std::vector<int> nodes_of(const Pages &);

// The memory of one cache. Not for several threads at once.
class Settler {
  public:
    explicit Settler(Pages pages = Pages::of_system());

    // Give advice on the whole pages of a range, unless that was done.
    void settle(const void *start, size_t bytes);

  private:
    Pages                                        pages_;
    std::vector<unsigned long>                   nodes_; // bits; empty where there is only one
    bool                                         huge_;
    std::vector<std::pair<const void *, size_t>> done_;
};

} // namespace kimicode
