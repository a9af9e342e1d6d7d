#include "store.hpp"

#include "store_desk.hpp"
#include "store_layout.hpp"

#include <algorithm>
#include <cstdio>
#include <filesystem>

namespace kimicode {
namespace {

class FileStore final : public Store {
  public:
    FileStore(const StoreOptions &options, size_t widest, std::unique_ptr<Shelf> shelf, const ReaderFactory &reader)
        : place_bytes_(shelf->place_bytes()), widest_(widest), desk_(options, std::move(shelf), reader) {}

    std::unique_ptr<Loan> borrow(int layer, std::span<const int> experts, bool prompt) override {
        return std::make_unique<DeskLoan>(desk_, layer, experts, prompt);
    }
    void announce(int layer, std::span<const int> experts) override { desk_.announce(layer, experts); }
    void resize(uint64_t memory) override;
    void warm() override { desk_.warm(); }

    StoreCounts counts() const override { return desk_.counts(); }
    int         layers() const override { return desk_.layers(); }
    int         experts() const override { return desk_.experts(); }

  private:
    size_t place_bytes_, widest_;
    Desk   desk_;
};

// As sentences have it.
std::string size(uint64_t bytes) {
    char text[32];
    std::snprintf(text, sizeof text, "%.1f MB", bytes / 1e6);
    return bytes < 100'000 ? std::to_string(bytes) + " bytes" : text;
}

// How many places `memory` is. `widest` is the layer that a place's size comes from.
size_t places_of(uint64_t memory, size_t place, size_t widest) {
    if (memory / place >= Store::LEAST) return memory / place;
    throw std::runtime_error("the memory for experts is too small: " + size(memory) + ", but it must have room for " +
                             std::to_string(Store::LEAST) + " of layer " + std::to_string(widest) + ", " + size(place) +
                             " each; give it more");
}

void FileStore::resize(uint64_t memory) { desk_.resize(places_of(memory, place_bytes_, widest_)); }

void check(const StoreOptions &o) {
    if (o.layers <= 0 || o.experts <= 0 || o.ranges.size() != (size_t)o.layers * o.experts)
        throw std::runtime_error("the experts' ranges don't fit their number");
    if (o.files.copies.empty()) throw std::runtime_error("no files with experts were given");
    int files = static_cast<int>(o.files.copies[0].size());
    for (const ExpertRanges &expert : o.ranges)
        for (const Range &range : expert)
            if (range.bytes && (range.file < 0 || range.file >= files)) throw std::runtime_error("an expert lies in a file that was not given");
}

// Each file must be as long as the experts in it need.
void check_files(const StoreOptions &o) {
    std::vector<uint64_t> needed(o.files.copies[0].size());
    for (const ExpertRanges &expert : o.ranges)
        for (const Range &range : expert)
            if (range.bytes) needed[range.file] = std::max(needed[range.file], range.offset + range.bytes);
    for (const std::vector<std::string> &copy : o.files.copies)
        for (size_t i = 0; i < std::min(copy.size(), needed.size()); ++i) {
            std::error_code error;
            uint64_t found = std::filesystem::file_size(copy[i], error);
            if (error) throw std::runtime_error(copy[i] + ": " + error.message());
            if (found < needed[i])
                throw std::runtime_error(copy[i] + ": experts lie behind its end, at byte " + std::to_string(found) +
                                         "; convert or download it again");
        }
}

} // namespace

std::unique_ptr<Store> Store::open(StoreOptions options, const ReaderFactory &reader) {
    check(options);
    check_files(options);
    size_t place = 0, widest = 0;
    for (size_t i = 0; i < options.ranges.size(); ++i)
        if (size_t bytes = laid_bytes(options.ranges[i]); bytes > place) place = bytes, widest = i / options.experts;
    if (!place) throw std::runtime_error("the files have no experts");
    size_t places = places_of(options.memory, place, widest);
    auto policy = policy_named(options.policy, static_cast<int>(options.ranges.size()));
    if (!policy) throw std::runtime_error("there is no policy \"" + options.policy + "\"; there are lru, lfu and lfru");
    auto shelf = std::make_unique<Shelf>(options.layers, options.experts, place, std::move(policy));
    if (shelf->make(LEAST) < LEAST)
        throw std::runtime_error("the system has no memory for experts: " + size(LEAST * place) + " were refused");
    shelf->resize(places);
    return std::make_unique<FileStore>(options, widest, std::move(shelf), reader);
}

} // namespace kimicode
