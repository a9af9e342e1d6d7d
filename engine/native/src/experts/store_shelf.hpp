// Which experts are in memory or on the way, who uses them, and which of them go when room is needed.
//
// Experts are numbered over all layers. One that nobody has pinned may go, the least worthy first; announced ones go last until their layer
// is computed. What this does not do: read, wait, or lock: one thread at a time.

#pragma once

#include "places.hpp"
#include "policy.hpp"
#include "policy_ranking.hpp"

#include <memory>
#include <span>
#include <vector>

namespace kimicode {

enum class Presence : uint8_t { ABSENT, COMING, THERE };

struct Held {
    Presence   presence = Presence::ABSENT;
    bool       announced = false; // is there, or comes, because it was announced, and was not used yet
    bool       kept = false;      // announced, and its layer was not computed since
    int        pins = 0;
    std::byte *place = nullptr; // unless absent
    uint64_t   job = 0;         // that reads it, where it is coming
};

// For whom a place is: how much may go for it.
enum class Claim { ANNOUNCED, WANTED, WANTED_MOST };

class Shelf {
  public:
    Shelf(int layers, int experts, size_t place_bytes, std::unique_ptr<Policy>);

    const Held &operator[](int expert) const { return held_[expert]; }
    int         layer(int expert) const { return expert / experts_; }

    void used(int layer, const std::vector<int> &experts, bool prompt);

    // Claim a place for an expert that is absent: then it is coming, by this job. For one that is announced nothing goes that the last token
    // used, or that was announced itself; for one that is wanted, nothing that was announced, unless there is no other way. False where
    // there is no place.
    bool claim(int expert, Claim claim, uint64_t job);
    void arrived(int expert);
    void failed(int expert); // it did not, and is absent again, whoever has it pinned

    void pin(int expert); // there or coming
    void unpin(int expert);
    void keep(int expert, bool on); // there or coming: it is announced, or no longer

    // At most so many places. What is in use beyond that goes when it is unpinned.
    void   resize(size_t places);
    // As many as can be made now, up to `places`.
    size_t make(size_t places);

    // A new place for nobody yet, and back with it; null where there are all that there may be.
    std::byte *set_aside() { return places_.fresh(limit_); }
    void       give_back(std::byte *place);

    // Places there may be, and experts that are there.
    size_t places() const { return limit_; }
    size_t held() const { return there_; }
    size_t made() const { return places_.made(); }
    size_t place_bytes() const { return places_.bytes(); }

    uint64_t announced = 0, announced_used = 0, evictions = 0; // as in StoreCounts

  private:
    bool may_go(int expert, Claim claim) const;
    bool used_lately(int expert) const { return last_use_[expert] == turn_[layer(expert)]; }
    void release(int expert); // its place
    void settle(int expert);  // nobody has it pinned
    void evict(int expert);

    int                     experts_;
    size_t                  limit_ = 0, there_ = 0;
    Places                  places_;
    std::unique_ptr<Policy> policy_;
    Ranking                 ranking_;
    std::vector<Held>       held_;
    std::vector<uint64_t>   turn_;     // of each layer: how often decoding computed it
    std::vector<uint64_t>   last_use_; // of each expert: its layer's turn then
};

} // namespace kimicode
