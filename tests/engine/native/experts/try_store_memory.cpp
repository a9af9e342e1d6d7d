// The store's memory: prints "name 1", or "name 0" where something is wrong, which test_store.py reads. Not for sanitizers, which need
// address space and memory of their own.

#include "experts/places.hpp"
#include "try_store.hpp"

#include <cstdio>
#include <fstream>
#include <sys/resource.h>
#include <unistd.h>

using namespace kimicode;

namespace {

constexpr size_t PLACE = 8u << 20;
std::string      folder;

// The first one is large, and makes all places so; the others touch little memory.
StoreOptions large_places(int places) {
    StoreOptions options = options_of(folder, 1, 256, places);
    std::filesystem::resize_file(options.files.copies[0][0], 2 * PLACE);
    options.ranges[0][2] = {0, PLACE, PLACE - 2 * SECTOR};
    options.memory = places * PLACE;
    return options;
}

// Of /proc/self/statm, in bytes: 0, address space, 1, memory.
size_t used(int which) {
    std::ifstream file("/proc/self/statm");
    size_t pages[2];
    file >> pages[0] >> pages[1];
    return pages[which] * sysconf(_SC_PAGESIZE);
}

void limit_address_space(rlim_t bytes) {
    rlimit now;
    getrlimit(RLIMIT_AS, &now);
    now.rlim_cur = bytes;
    setrlimit(RLIMIT_AS, &now);
}

// Use experts 1 to `last`, each alone; whether all came as they are.
bool use(Opened &o, const StoreOptions &options, int last) {
    for (int expert = 1; expert <= last; ++expert) {
        auto loan = o.store->borrow(0, std::vector<int>{expert}, false);
        o.reader->finish_all();
        ExpertBytes bytes;
        if (!loan->next(bytes, false) || !right(bytes, options, 0)) return false;
    }
    return true;
}

bool what_the_system_refuses_makes_it_smaller() {
    StoreOptions options = large_places(128);
    Opened o(options);
    limit_address_space(used(0) + 40 * PLACE);
    bool works = use(o, options, 100);
    StoreCounts c = o.store->counts();
    limit_address_space(RLIM_INFINITY);
    o.store->resize(options.memory);
    bool grows = use(o, options, 100) && o.store->counts().places == 128;
    // What it was opened with and what the limit left, but for the parts of chunks that don't fit.
    return works && c.places >= 20 && c.places <= 42 && c.held == c.places && grows;
}

bool without_memory_it_says_so() {
    StoreOptions options = large_places(128);
    limit_address_space(used(0) + PLACE);
    std::string said;
    try {
        Opened o(options);
    } catch (const std::runtime_error &error) {
        said = error.what();
    }
    limit_address_space(RLIM_INFINITY);
    return said.find("the system has no memory for experts") == 0;
}

bool places_are_used_again_without_faults() {
    Places places(PLACE);
    std::vector<std::byte *> taken;
    auto touch = [&] {
        rusage before, after;
        getrusage(RUSAGE_SELF, &before);
        for (std::byte *place : taken)
            for (size_t at = 0; at < PLACE; at += SECTOR) place[at] = std::byte{1};
        getrusage(RUSAGE_SELF, &after);
        return after.ru_minflt - before.ru_minflt;
    };
    for (int i = 0; i < 8; ++i) taken.push_back(places.take(8));
    bool aligned = reinterpret_cast<uintptr_t>(*std::min_element(taken.begin(), taken.end())) % (2u << 20) == 0;
    bool all = taken.back() && !places.take(8);
    long first = touch();
    for (std::byte *place : taken) places.put(place);
    for (std::byte *&place : taken) place = places.take(8);
    return aligned && all && first > 0 && touch() == 0 && places.made() == 8;
}

bool what_is_dropped_goes_back() {
    Places places(PLACE);
    std::vector<std::byte *> taken;
    for (int i = 0; i < 8; ++i) {
        taken.push_back(places.take(8));
        std::memset(taken.back(), 1, PLACE);
    }
    size_t full = used(1);
    for (int i = 0; i < 4; ++i) places.put(taken[i]), places.drop();
    size_t half = used(1);
    bool zero = *places.take(8) == std::byte{0}; // made anew
    return full - half > 3 * PLACE && zero && places.made() == 5;
}

struct Case {
    const char *name;
    bool (*works)();
};
constexpr Case CASES[] = {
    {"what_the_system_refuses_makes_it_smaller", what_the_system_refuses_makes_it_smaller},
    {"without_memory_it_says_so", without_memory_it_says_so},
    {"places_are_used_again_without_faults", places_are_used_again_without_faults},
    {"what_is_dropped_goes_back", what_is_dropped_goes_back},
};

} // namespace

int main(int, char **arguments) {
    folder = arguments[1];
    for (auto &[name, works] : CASES) std::printf("%s %d\n", name, works()), std::fflush(stdout);
}
