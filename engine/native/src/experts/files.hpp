// A model's files, each in one or several copies, open for reading, and whether they are still what they were.
//
// A file is known by its size, its time of change, its inode and its device. It has changed where its descriptor says anything else than
// when it was opened, or where its path leads elsewhere by now: a replaced file would differ from what a restarted engine reads.
// What this does not do: read, but for the few bytes that tell whether a file can be read past the page cache, and copies apart.

#pragma once

#include "reader_system.hpp"

#include <atomic>
#include <cstdint>
#include <string>
#include <vector>

namespace kimicode::reading {

class Files {
  public:
    // Copies: [copy][file]. Raises std::runtime_error: no copy, a file that can't be opened or is no regular file, copies that differ.
    Files(const std::vector<std::vector<std::string>> &copies, bool direct, const System &);
    ~Files();
    Files(const Files &) = delete;
    Files &operator=(const Files &) = delete;

    int                copies() const { return copies_; }
    int                files() const { return (int)open_.size() / copies_; }
    int                index(int copy, int file) const { return copy * files() + file; }
    uint64_t           size(int file) const { return open_[file].was.size; }
    const std::string &path(int copy, int file) const { return open_[index(copy, file)].path; }
    int                descriptor(int copy, int file) const { return open_[index(copy, file)].descriptor; }
    std::vector<int>   descriptors() const; // by index
    bool               direct() const;      // all of them

    // What was just read of a file that is not read past the page cache shall not stay in it.
    void forget(int copy, int file, uint64_t offset, size_t bytes) const;

    // A sentence where one of a file's copies has changed, or did once; else empty. Paths are looked at once in a while, or `thoroughly`.
    // Any thread.
    std::string changed(int file, bool thoroughly);

  private:
    struct Open {
        std::string          path;
        int                  descriptor = -1;
        bool                 direct = false;
        Identity             was{};
        std::atomic<bool>    changed{false};
        std::atomic<int64_t> looked{0}; // when, at the path; nanoseconds of the steady clock

        Open() = default;
        Open(Open &&o) noexcept : path(std::move(o.path)), descriptor(o.descriptor), direct(o.direct), was(o.was) {}
    };

    void open(Open &, bool direct);
    bool reads_directly(const Open &) const;
    void compare(const Open &first, const Open &copy) const;
    bool changed(Open &, bool thoroughly) const;
    void close();

    System            system_;
    int               copies_;
    std::vector<Open> open_;
};

} // namespace kimicode::reading
