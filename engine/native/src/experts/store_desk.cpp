#include "store_desk.hpp"

#include "store_layout.hpp"

#include <algorithm>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace kimicode {

using std::chrono::steady_clock;

namespace {

// This thread runs when no other wants to.
void yield_to_others() {
#ifdef __linux__
    setpriority(PRIO_PROCESS, static_cast<id_t>(syscall(SYS_gettid)), 19); // of a thread; where it is refused there is no harm
#endif
}

// Have the system provide these pages, which nobody uses yet.
void touch(std::byte *place, size_t bytes) {
#ifdef MADV_POPULATE_WRITE
    if (madvise(place, bytes, MADV_POPULATE_WRITE) == 0) return;
#endif
    for (size_t at = 0; at < bytes; at += SECTOR) *static_cast<volatile std::byte *>(place + at) = std::byte{0};
}

double seconds_since(steady_clock::time_point then) { return std::chrono::duration<double>(steady_clock::now() - then).count(); }

} // namespace

Desk::Desk(const StoreOptions &options, std::unique_ptr<Shelf> shelf, const ReaderFactory &reader)
    : options_(options), shelf_(std::move(shelf)),
      reader_(reader(options.files, [this](uint64_t job, const std::string &error) { finished(job, error); })) {}

Desk::~Desk() {
    {
        Lock lock(mutex_);
        closing_ = true;
    }
    room_.notify_all();
    if (warmer_.joinable()) warmer_.join();
    reader_.reset();
}

void Desk::check(int layer, std::span<const int> experts) const {
    if (layer < 0 || layer >= options_.layers) throw std::out_of_range("there is no layer " + std::to_string(layer) + " in the store");
    for (int expert : experts)
        if (expert < 0 || expert >= options_.experts || !laid_bytes(options_.ranges[(size_t)layer * options_.experts + expert]))
            throw std::out_of_range("layer " + std::to_string(layer) + " has no expert " + std::to_string(expert));
}

void Desk::begin(Asked &a) {
    Lock lock(mutex_);
    size_t count = a.experts.size();
    a.stages.assign(count, Stage::WAITING);
    a.hit.assign(count, false);
    a.left = static_cast<int>(count);
    for (size_t i = 0; i < count; ++i) {
        int expert = a.experts[i];
        const Held &held = (*shelf_)[expert];
        a.hit[i] = held.presence == Presence::THERE;
        ++(a.hit[i] ? hits_ : misses_);
        switch (held.presence) {
        case Presence::THERE: take(a, i, Stage::READY); break;
        case Presence::COMING: take(a, i, Stage::COMING); break;
        case Presence::ABSENT: a.waiting.push_back(i); break;
        }
    }
    forget_announced(a.layer);
    shelf_->used(a.layer, a.experts, a.prompt);
    loans_.push_back(&a);
    feed();
}

void Desk::end(Asked &a) {
    Lock lock(mutex_);
    std::erase(loans_, &a);
    for (size_t i = 0; i < a.experts.size(); ++i)
        if (a.stages[i] == Stage::COMING || a.stages[i] == Stage::READY || a.stages[i] == Stage::GIVEN) give_up(a, i);
    feed();
}

bool Desk::next(Asked &a, ExpertBytes &bytes, bool wait) {
    Lock lock(mutex_);
    for (;;) {
        if (!a.error.empty()) throw ReadError(a.error);
        if (!a.ready.empty()) break;
        if (!a.left || !wait) return false;
        if (!a.pins && take_from_another(a)) continue;
        ++a.waiters;
        idle(a);
        a.changed.wait(lock);
        --a.waiters;
        idle(a);
    }
    int index = a.ready.front();
    a.ready.pop_front();
    a.to(index, Stage::GIVEN);
    idle(a);
    if (!a.left) a.changed.notify_all();
    int expert = a.experts[index];
    bytes.expert = expert % options_.experts;
    bytes.parts = lay(options_.ranges[expert], (*shelf_)[expert].place).parts;
    return true;
}

void Desk::done(Asked &a, int index) {
    Lock lock(mutex_);
    if (a.stages.at(index) != Stage::GIVEN) return;
    give_up(a, index);
    idle(a);
    feed();
}

StoreCounts Desk::counts() const {
    Lock lock(mutex_);
    double waited = waited_;
    for (const Asked *a : loans_)
        if (a->idle_since != steady_clock::time_point{}) waited += seconds_since(a->idle_since);
    return {shelf_->places(), shelf_->place_bytes(), shelf_->held(), shelf_->made(), hits_, misses_, shelf_->announced, shelf_->announced_used,
            shelf_->evictions, waited, reader_->counts()};
}

void Desk::resize(size_t places) {
    Lock lock(mutex_);
    shelf_->resize(places);
    feed();
    room_.notify_all();
}

void Desk::warm() {
    Lock lock(mutex_);
    if (!warmer_.joinable()) warmer_ = std::thread([this] { provide(); });
}

void Desk::provide() {
    yield_to_others();
    Lock lock(mutex_);
    while (!closing_) {
        std::byte *place = shelf_->set_aside();
        if (!place) {
            room_.wait(lock);
            continue;
        }
        lock.unlock();
        touch(place, shelf_->place_bytes());
        lock.lock();
        shelf_->give_back(place);
        feed();
    }
}

void Desk::finished(uint64_t job, const std::string &error) {
    Lock lock(mutex_);
    int expert = static_cast<int>(job % options_.ranges.size());
    const Held &held = (*shelf_)[expert];
    if (held.presence != Presence::COMING || held.job != job) return;
    error.empty() ? shelf_->arrived(expert) : shelf_->failed(expert);
    if (!error.empty()) std::erase(announced_, expert);
    for (Asked *a : loans_) {
        if (shelf_->layer(expert) == a->layer) {
            int index = a->index_of[expert % options_.experts];
            if (index >= 0 && a->stages[index] == Stage::COMING) {
                a->to(index, error.empty() ? Stage::READY : Stage::OVER);
                if (!error.empty()) fail(*a, error);
            }
        }
        a->changed.notify_all();
    }
    feed();
}

void Desk::feed() {
    if (closing_) return;
    for (Asked *a : loans_)
        if (!a->pins) start_next(*a);
    for (Asked *a : loans_)
        while ((!a->prompt || a->brought < (int)window()) && start_next(*a)) {
        }
}

// Of what the loan waits for, the first. False where there is no place for it, or nothing to wait for.
bool Desk::start_next(Asked &a) {
    if (a.waiting.empty() || !a.error.empty()) return false;
    int index = a.waiting.front(), expert = a.experts[index];
    Presence presence = (*shelf_)[expert].presence;
    if (presence == Presence::ABSENT && !claim(expert)) return false;
    a.waiting.pop_front();
    if (presence == Presence::ABSENT) read(expert, true);
    take(a, index, presence == Presence::THERE ? Stage::READY : Stage::COMING);
    if (presence == Presence::THERE) a.changed.notify_one();
    return true;
}

bool Desk::claim(int expert) {
    uint64_t job = ++serial_ * options_.ranges.size() + expert;
    if (shelf_->claim(expert, Claim::WANTED, job)) return true;
    if (drop_announced() && shelf_->claim(expert, Claim::WANTED, job)) return true;
    return shelf_->claim(expert, Claim::WANTED_MOST, job);
}

void Desk::read(int expert, bool urgent) {
    const Held &held = (*shelf_)[expert];
    reader_->begin(held.job, lay(options_.ranges[expert], held.place).reads, urgent);
}

bool Desk::cancel(int expert) {
    if (!reader_->cancel((*shelf_)[expert].job)) return false;
    shelf_->failed(expert);
    return true;
}

void Desk::take(Asked &a, int index, Stage stage) {
    int expert = a.experts[index];
    if (stage == Stage::COMING) reader_->hurry((*shelf_)[expert].job);
    shelf_->pin(expert);
    a.to(index, stage);
}

void Desk::give_up(Asked &a, int index) {
    int expert = a.experts[index];
    shelf_->unpin(expert);
    a.to(index, Stage::OVER);
    const Held &held = (*shelf_)[expert];
    if (held.presence == Presence::COMING && !held.pins) cancel(expert);
}

void Desk::fail(Asked &a, const std::string &error) {
    a.error = error;
    idle(a);
}

// A loan that has nothing, while all places are another's: what is there for that one, but was not given, and nobody waits for. More than
// one, where the store shrinks and the first place is gone with its expert.
bool Desk::take_from_another(Asked &a) {
    for (Asked *other : loans_) {
        if (other == &a || other->waiters) continue;
        for (size_t i = other->ready.size(); i-- > 0;) {
            int index = other->ready[i], expert = other->experts[index];
            if ((*shelf_)[expert].pins > 1) continue;
            other->ready.erase(other->ready.begin() + i);
            shelf_->unpin(expert);
            other->to(index, Stage::WAITING);
            other->waiting.push_front(index);
            if (start_next(a)) return true;
        }
    }
    return false;
}

// Time counts in which a thread waits and no other one has an expert to compute with.
void Desk::idle(Asked &a) {
    bool idle = a.waiters && !a.given && a.error.empty() && a.ready.empty(), was = a.idle_since != steady_clock::time_point{};
    if (idle == was) return;
    if (was) waited_ += seconds_since(a.idle_since);
    a.idle_since = idle ? steady_clock::now() : steady_clock::time_point{};
}

// Enough to keep drives busy, and few of all.
size_t Desk::window() const { return std::clamp<size_t>(shelf_->places() / 8, Store::LEAST, 16); }

size_t Desk::most_announced() const { return 2 * window(); }

void Desk::announce(int layer, std::span<const int> experts) {
    check(layer, experts);
    Lock lock(mutex_);
    forget_announced(layer);
    // Layers that were announced, but not computed: their computation was given up.
    while (!announced_.empty() && announced_.size() + experts.size() > most_announced())
        forget_announced(shelf_->layer(announced_.front()));
    for (int expert : experts)
        if (announced_.size() == most_announced() || !announce_one(layer * options_.experts + expert)) return;
}

// False where nothing more can be announced.
bool Desk::announce_one(int expert) {
    switch ((*shelf_)[expert].presence) {
    case Presence::COMING: return true;
    case Presence::THERE: break;
    case Presence::ABSENT:
        if (!shelf_->claim(expert, Claim::ANNOUNCED, ++serial_ * options_.ranges.size() + expert)) return false;
        read(expert, false);
        break;
    }
    shelf_->keep(expert, true);
    announced_.push_back(expert);
    return true;
}

// The layer is computed, or announced anew: what is only announced is worth no more than other experts.
void Desk::forget_announced(int layer) {
    std::erase_if(announced_, [&](int expert) {
        if (shelf_->layer(expert) != layer) return false;
        const Held &held = (*shelf_)[expert];
        bool unwanted = held.presence == Presence::COMING && !held.pins;
        if (!unwanted || !cancel(expert)) shelf_->keep(expert, false);
        return true;
    });
}

// One that nobody has asked for and that is not on the way yet, of the least probable. False where there is none.
bool Desk::drop_announced() {
    for (size_t i = announced_.size(); i-- > 0;) {
        const Held &held = (*shelf_)[announced_[i]];
        if (held.presence != Presence::COMING || held.pins || !cancel(announced_[i])) continue;
        announced_.erase(announced_.begin() + i);
        return true;
    }
    return false;
}

} // namespace kimicode
