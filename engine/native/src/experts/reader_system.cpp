#include "reader_system.hpp"

#include "uring.hpp"


#include <cerrno>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#ifndef O_DIRECT
constexpr int O_DIRECT = 0;
#endif

namespace kimicode::reading {
namespace {

int identity(int status, const struct stat &found, Identity &identity) {
    if (status) return -errno;
    if (!S_ISREG(found.st_mode)) return -ESPIPE;
#ifdef __APPLE__
    const auto &time = found.st_mtimespec;
#else
    const auto &time = found.st_mtim;
#endif
    identity = {(uint64_t)found.st_size, (uint64_t)found.st_ino, (uint64_t)found.st_dev, time.tv_sec * 1'000'000'000ll + time.tv_nsec};
    return 0;
}

int open_file(const std::string &path, bool direct) {
    if (direct && !O_DIRECT) return -EINVAL;
    int descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | (direct ? O_DIRECT : 0));
    return descriptor < 0 ? -errno : descriptor;
}

long read_file(int descriptor, std::byte *into, size_t bytes, uint64_t offset) {
    ssize_t got = pread(descriptor, into, bytes, (off_t)offset);
    return got < 0 ? -errno : got;
}

void forget_pages(int descriptor, uint64_t offset, size_t bytes) {
#ifdef POSIX_FADV_DONTNEED
    posix_fadvise(descriptor, (off_t)offset, (off_t)bytes, POSIX_FADV_DONTNEED);
#else
    (void)descriptor, (void)offset, (void)bytes;
#endif
}

int identify_open(int descriptor, Identity &found) {
    struct stat status;
    return identity(fstat(descriptor, &status), status, found);
}

int identify_named(const std::string &path, Identity &found) {
    struct stat status;
    return identity(stat(path.c_str(), &status), status, found);
}

} // namespace

System System::real() {
    auto close_file = [](int descriptor) { ::close(descriptor); };
    return {open_file, close_file, read_file, forget_pages, identify_open, identify_named, open_ring};
}

} // namespace kimicode::reading
