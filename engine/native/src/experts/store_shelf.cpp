#include "store_shelf.hpp"

#include <algorithm>

namespace kimicode {
namespace {

constexpr double KEPT = 4e9; // more than any policy's worth

} // namespace

Shelf::Shelf(int layers, int experts, size_t place_bytes, std::unique_ptr<Policy> policy)
    : experts_(experts), places_(place_bytes), policy_(std::move(policy)), ranking_(layers * experts), held_((size_t)layers * experts),
      turn_(layers, 1), last_use_(held_.size(), 0) {}

void Shelf::used(int layer, const std::vector<int> &experts, bool prompt) {
    policy_->used(experts, prompt);
    for (int expert : experts)
        if (ranking_.holds(expert)) settle(expert);
    if (prompt) return;
    ++turn_[layer];
    for (int expert : experts) last_use_[expert] = turn_[layer];
}

bool Shelf::claim(int expert, Claim claim, uint64_t job) {
    std::byte *place = places_.take(limit_);
    if (!place) {
        // Fewer than there may be: the system refuses. What there is has to do.
        if (places_.made() < limit_) limit_ = places_.made();
        if (ranking_.empty() || !may_go(ranking_.least(), claim)) return false;
        evict(ranking_.least());
        place = places_.take(limit_);
        if (!place) return false;
    }
    Held &held = held_[expert];
    held.presence = Presence::COMING;
    held.announced = held.kept = claim == Claim::ANNOUNCED;
    held.place = place;
    held.job = job;
    return true;
}

bool Shelf::may_go(int expert, Claim claim) const {
    switch (claim) {
    case Claim::ANNOUNCED: return !held_[expert].kept && !used_lately(expert);
    case Claim::WANTED: return !held_[expert].kept;
    case Claim::WANTED_MOST: return true;
    }
    return false;
}

void Shelf::arrived(int expert) {
    Held &held = held_[expert];
    held.presence = Presence::THERE;
    ++there_;
    announced += held.announced;
    if (!held.pins) settle(expert);
}

void Shelf::failed(int expert) {
    held_[expert].pins = 0;
    release(expert);
}

void Shelf::pin(int expert) {
    Held &held = held_[expert];
    if (held.announced) {
        // What still comes does not count when it arrives: it is no longer only announced.
        announced += held.presence == Presence::COMING;
        ++announced_used;
        held.announced = false;
    }
    if (!held.pins++) ranking_.remove(expert);
}

void Shelf::unpin(int expert) {
    Held &held = held_[expert];
    if (!--held.pins && held.presence == Presence::THERE) settle(expert);
}

void Shelf::keep(int expert, bool on) {
    held_[expert].kept = on;
    if (ranking_.holds(expert)) settle(expert);
}

void Shelf::resize(size_t places) {
    limit_ = places;
    while (places_.made() > limit_) {
        if (places_.spare()) places_.drop();
        else if (!ranking_.empty()) evict(ranking_.least());
        else return;
    }
}

size_t Shelf::make(size_t places) {
    std::vector<std::byte *> made;
    while (made.size() < places)
        if (std::byte *place = places_.take(places)) made.push_back(place);
        else break;
    for (std::byte *place : made) places_.put(place);
    return made.size();
}

void Shelf::give_back(std::byte *place) {
    places_.put(place);
    if (places_.made() > limit_) places_.drop();
}

void Shelf::release(int expert) {
    give_back(held_[expert].place);
    held_[expert] = {};
}

void Shelf::settle(int expert) {
    if (places_.made() > limit_) {
        evict(expert);
        return;
    }
    ranking_.put(expert, policy_->worth(expert) + (held_[expert].kept ? KEPT : 0));
}

void Shelf::evict(int expert) {
    ranking_.remove(expert);
    --there_;
    ++evictions;
    release(expert);
}

} // namespace kimicode
