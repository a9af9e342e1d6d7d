// The experts of a model: some in memory, all in files.
//
// Memory is a number of places of equal size, made once and used again and again. A computation asks for some experts of one layer and is
// given each as soon as it is there, those in memory at once; it says when it is done with each. What nobody uses makes room for what is
// wanted, by a policy. More experts may be asked for than there are places. Experts that will probably be wanted can be announced.
// What this does not do: compute, or know what an expert's bytes mean.

#pragma once

#include "policy.hpp"
#include "reader.hpp"

#include <array>
#include <memory>
#include <span>
#include <stdexcept>
#include <vector>

namespace kimicode {

constexpr int PARTS = 3; // of an expert: gate, up, down

using ExpertRanges = std::array<Range, PARTS>; // no bytes: that part is not in the store

struct StoreOptions {
    ReaderOptions             files;
    int                       layers, experts; // of the model, and of a layer
    std::vector<ExpertRanges> ranges;          // [layers][experts]; layers without experts have none
    uint64_t                  memory;          // bytes for places; at least Store::LEAST of them
    std::string               policy = "lfru";
};

struct StoreCounts {
    uint64_t     places, place_bytes, held; // places there may be, their size, and how many hold an expert
    uint64_t     made;                      // places that have memory
    uint64_t     hits, misses;              // of what computations asked for: there already, or not (waiting for one on the way is a miss)
    uint64_t     announced, announced_used; // experts read because they were announced, and those of them that were used before they went
    uint64_t     evictions;
    double       waited_seconds; // of computations that had nothing else to do
    ReaderCounts reader;
};

struct ReadError : std::runtime_error {
    using std::runtime_error::runtime_error;
};

// An expert's bytes in memory.
struct ExpertBytes {
    int                                  expert;
    std::array<const std::byte *, PARTS> parts;
};

// As Reader::open; a test has readers of its own.
using ReaderFactory = std::function<std::unique_ptr<Reader>(const ReaderOptions &, Reader::Done)>;

class Store {
  public:
    static constexpr size_t LEAST = 2; // places: one to compute with while the other is read

    // Raises std::runtime_error with what is wrong: a file that can't be read, ranges outside it, too little memory.
    static std::unique_ptr<Store> open(StoreOptions, const ReaderFactory & = Reader::open);
    virtual ~Store() = default;

    // The experts that one computation asked for, each once.
    class Loan {
      public:
        virtual ~Loan() = default; // gives back what was not given back

        // One that is there and was not given yet; waits for one, if `wait`. False where all have been given, and, without `wait`, where
        // none is there yet. Any thread. Raises ReadError: then the whole computation must end.
        virtual bool next(ExpertBytes &, bool wait) = 0;
        // The computation is done with this one. Any thread.
        virtual void done(int expert) = 0;
    };

    // `prompt`: the computation reads many tokens at a time. Raises std::out_of_range for what is no expert. Several loans at a time don't
    // wait for each other for ever, as long as each one's user says in the end that it is done with what it was given. A loan must end before
    // the store.
    virtual std::unique_ptr<Loan> borrow(int layer, std::span<const int> experts, bool prompt) = 0;

    // These will probably be asked for, the first of them most probably: read them when nothing else is to be read.
    // Raises std::out_of_range, as `borrow`.
    virtual void announce(int layer, std::span<const int> experts) = 0;

    // Use so much memory from now on; what is given up goes back to the system, at once, or when it is no longer used. Raises
    // std::runtime_error where it is less than LEAST places. Where the system refuses memory, there are fewer places: see the counts.
    virtual void resize(uint64_t memory) = 0;

    // Have the system provide memory for all places from now on, by and by, by a thread that does so when processors are idle: clearing
    // pages takes as long as reading them does from a fast drive.
    virtual void warm() = 0;

    virtual StoreCounts counts() const = 0;
    virtual int         layers() const = 0;
    virtual int         experts() const = 0;
};

} // namespace kimicode
