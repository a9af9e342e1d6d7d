#include "api.h"
#include "open_store.hpp"
#include "policy_simulate.hpp"

#include <cstring>
#include <mutex>

using namespace kimicode;

namespace {

// What C gets for an exception: 1, and a sentence.
template <class F> int told(F &&call) {
    try {
        call();
        return 0;
    } catch (const std::bad_alloc &) {
        set_error("there is no memory left");
    } catch (const std::exception &error) {
        set_error(error.what());
    }
    return 1;
}

// What the open store was opened with, to know experts' sizes by.
std::mutex                          mutex;
std::shared_ptr<const StoreOptions> opened;

std::shared_ptr<Store> needed() {
    std::shared_ptr<Store> store = open_store();
    if (!store) throw std::runtime_error("no store of experts is open");
    return store;
}

ExpertRanges ranges_of(int layer, int expert) {
    std::lock_guard lock(mutex);
    return opened->ranges.at((size_t)layer * opened->experts + expert);
}

StoreOptions options_of(const kimicode_store &c) {
    StoreOptions o;
    for (int copy = 0; copy < c.copies; ++copy) o.files.copies.emplace_back(c.paths + copy * c.files, c.paths + (copy + 1) * c.files);
    if (c.piece) o.files.piece = c.piece;
    if (c.depth) o.files.depth = c.depth;
    o.files.direct = c.direct;
    o.files.uring = c.uring;
    o.layers = c.layers;
    o.experts = c.experts;
    o.ranges.resize((size_t)c.layers * c.experts);
    for (size_t i = 0; i < o.ranges.size(); ++i)
        for (int part = 0; part < PARTS; ++part) {
            const kimicode_range &range = c.ranges[i * PARTS + part];
            o.ranges[i][part] = {range.file, range.offset, range.bytes};
        }
    o.memory = c.memory;
    o.policy = c.policy;
    return o;
}

} // namespace

int kimicode_store_open(const kimicode_store *asked) {
    return told([&] {
        if (open_store()) throw std::runtime_error("a store of experts is open already; close it first");
        auto options = std::make_shared<const StoreOptions>(options_of(*asked));
        std::shared_ptr<Store> store = Store::open(*options);
        {
            std::lock_guard lock(mutex);
            opened = std::move(options);
        }
        set_open_store(std::move(store));
    });
}

int kimicode_store_warm(void) {
    return told([&] { needed()->warm(); });
}

void kimicode_store_close(void) { set_open_store(nullptr); }

int kimicode_store_resize(uint64_t memory) {
    return told([&] { needed()->resize(memory); });
}

int kimicode_store_counts_of(kimicode_store_counts *out) {
    return told([&] {
        StoreCounts c = needed()->counts();
        *out = {c.places, c.place_bytes, c.held, c.made, c.hits, c.misses, c.announced, c.announced_used, c.evictions, c.reader.bytes,
                c.reader.reads, c.reader.retries, c.reader.failures, c.waited_seconds, c.reader.busy_seconds, c.reader.direct,
                c.reader.uring};
    });
}

int kimicode_store_fetch(int layer, int expert, void *out) {
    return told([&] {
        std::shared_ptr<Store> store = needed();
        std::unique_ptr<Store::Loan> loan = store->borrow(layer, std::span(&expert, 1), false);
        ExpertBytes bytes;
        if (!loan->next(bytes, true)) throw std::runtime_error("the expert did not come");
        std::byte *to = static_cast<std::byte *>(out);
        ExpertRanges ranges = ranges_of(layer, expert);
        for (int part = 0; part < PARTS; ++part) {
            if (ranges[part].bytes) std::memcpy(to, bytes.parts[part], ranges[part].bytes);
            to += ranges[part].bytes;
        }
    });
}

int kimicode_store_announce(int layer, const int *experts, int count) {
    return told([&] { needed()->announce(layer, {experts, experts + count}); });
}

int64_t kimicode_simulate(const char *name, int experts, int places, const int *trace, int64_t steps, int used) {
    std::unique_ptr<Policy> policy = policy_named(name, experts);
    if (!policy) return -1;
    return simulate(*policy, experts, places, {trace, static_cast<size_t>(steps * used)}, used);
}
