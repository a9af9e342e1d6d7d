#include "files.hpp"

#include "reader.hpp"

#include <array>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <stdexcept>
#include <system_error>
#include <utility>

namespace kimicode::reading {
namespace {

constexpr int64_t LOOK_EVERY = 100'000'000; // nanoseconds
constexpr int     SAMPLES = 16;             // of a file, to tell copies apart

struct alignas(SECTOR) Sector : std::array<std::byte, SECTOR> {};

int64_t now() {
    return std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

[[noreturn]] void fail(const std::string &path, const std::string &why) { throw std::runtime_error(path + ": " + why); }

std::string text(int error) {
    if (error == ESPIPE) return "it is no regular file";
    std::string said = std::generic_category().message(error);
    switch (error) {
    case EMFILE: return said + ": raise the limit of open files (ulimit -n)";
    case ENFILE: return said + ": other programs hold too many files open";
    default: return said;
    }
}

} // namespace

Files::Files(const std::vector<std::vector<std::string>> &copies, bool direct, const System &system)
    : system_(system), copies_((int)copies.size()) {
    if (copies.empty() || copies[0].empty()) throw std::runtime_error("there are no files to read from");
    for (const auto &copy : copies)
        if (copy.size() != copies[0].size())
            fail(copy.empty() ? "a copy" : copy[0], "this copy has another number of files than " + copies[0][0]);
    open_.reserve(copies.size() * copies[0].size());
    try {
        for (const auto &copy : copies)
            for (const auto &path : copy) {
                open_.emplace_back();
                open_.back().path = path;
                open(open_.back(), direct);
            }
        for (int copy = 1; copy < copies_; ++copy)
            for (int file = 0; file < files(); ++file) compare(open_[file], open_[index(copy, file)]);
    } catch (...) {
        close();
        throw;
    }
}

Files::~Files() { close(); }

void Files::close() {
    for (auto &o : open_)
        if (o.descriptor >= 0) system_.close(o.descriptor);
}

void Files::open(Open &o, bool direct) {
    o.descriptor = system_.open(o.path, direct);
    if (direct && o.descriptor == -EINVAL) return open(o, false);
    if (o.descriptor < 0) fail(o.path, "it can't be opened: " + text(-o.descriptor));
    if (int status = system_.identify(o.descriptor, o.was)) fail(o.path, "it can't be read: " + text(-status));
    o.direct = direct;
    o.looked = now();
    if (direct && !reads_directly(o)) {
        system_.close(std::exchange(o.descriptor, -1));
        open(o, false);
    }
}

// Some file systems open, and refuse then.
bool Files::reads_directly(const Open &o) const {
    Sector sector;
    return system_.read(o.descriptor, sector.data(), SECTOR, o.was.size >= 2 * SECTOR ? SECTOR : 0) != -EINVAL;
}

// Equal sizes say little: other weights of the same model have them too.
void Files::compare(const Open &first, const Open &copy) const {
    if (copy.was.size != first.was.size) fail(copy.path, "it is no copy of " + first.path + ", whose size is another one: copy it again");
    Sector a, b;
    uint64_t sectors = (first.was.size + SECTOR - 1) / SECTOR;
    for (uint64_t i = 0; i < SAMPLES && i < sectors; ++i) {
        uint64_t offset = sectors <= SAMPLES ? i * SECTOR : (sectors - 1) * i / (SAMPLES - 1) * SECTOR;
        long     there = system_.read(first.descriptor, a.data(), SECTOR, offset);
        long     here = system_.read(copy.descriptor, b.data(), SECTOR, offset);
        // What can't be read now is found out when it is asked for.
        if (there > 0 && there == here && memcmp(a.data(), b.data(), (size_t)here) != 0)
            fail(copy.path, "it is no copy of " + first.path + ": they differ behind byte " + std::to_string(offset) + ": copy it again");
    }
}

std::vector<int> Files::descriptors() const {
    std::vector<int> all;
    for (const auto &o : open_) all.push_back(o.descriptor);
    return all;
}

bool Files::direct() const {
    for (const auto &o : open_)
        if (!o.direct) return false;
    return true;
}

void Files::forget(int copy, int file, uint64_t offset, size_t bytes) const {
    const Open &o = open_[index(copy, file)];
    if (!o.direct) system_.forget(o.descriptor, offset, bytes);
}

std::string Files::changed(int file, bool thoroughly) {
    for (int copy = 0; copy < copies_; ++copy)
        if (Open &o = open_[index(copy, file)]; changed(o, thoroughly))
            return o.path + " changed while the engine uses it: restart the engine";
    return "";
}

bool Files::changed(Open &o, bool thoroughly) const {
    if (o.changed.load(std::memory_order_relaxed)) return true;
    Identity found;
    bool     differs = system_.identify(o.descriptor, found) != 0 || found != o.was;
    int64_t  time = now();
    if (!differs && (thoroughly || time - o.looked.load(std::memory_order_relaxed) >= LOOK_EVERY)) {
        o.looked.store(time, std::memory_order_relaxed);
        differs = system_.identify_path(o.path, found) != 0 || found != o.was;
    }
    if (differs) o.changed.store(true, std::memory_order_relaxed);
    return differs;
}

} // namespace kimicode::reading
