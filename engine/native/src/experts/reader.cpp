#include "reader.hpp"

#include "reader_drive.hpp"
#include "reader_open.hpp"

#include <cerrno>
#include <stdexcept>
#include <system_error>
#include <utility>

namespace kimicode::reading {
namespace {

constexpr int DEEPEST = 1024; // pieces on the way for each copy: more than any drive's queue is worth

void check(const ReaderOptions &options) {
    if (options.piece == 0 || options.piece % SECTOR || options.piece > 1 << 30)
        throw std::runtime_error("a reader's pieces must have a multiple of " + std::to_string(SECTOR) + " bytes, at most 1 GiB");
    if (options.depth < 1 || options.depth > DEEPEST) throw std::runtime_error("a reader's depth must be 1 to " + std::to_string(DEEPEST));
}

std::string reason(const std::error_code &code) {
    switch (code.value()) {
    case ENOSYS: return "the system has none";
    case EPERM:
    case EACCES: return "it is forbidden here (kernel.io_uring_disabled, or a container's rules)";
    case ENOMEM: return "there is too little memory for it (ulimit -l)";
    case EMFILE: return "too many files are open (ulimit -n)";
    default: return code.message();
    }
}

// With as many entries as memory allows: then the depth is smaller.
std::unique_ptr<Ring> ring_for(const Files &files, ReaderOptions &options, const System &system, std::string &note) {
    const int wanted = options.depth;
    for (;;) {
        try {
            auto ring = system.ring((unsigned)(options.depth * files.copies()), files.descriptors());
            note = "io_uring";
            if (options.depth < wanted)
                note += ", depth " + std::to_string(options.depth) + " instead of " + std::to_string(wanted) +
                        ": memory is short (ulimit -l)";
            return ring;
        } catch (const std::system_error &error) {
            if (error.code().value() == ENOMEM && options.depth > 1) {
                options.depth /= 2;
                continue;
            }
            options.depth = wanted;
            note = "threads, without io_uring: " + reason(error.code());
            return nullptr;
        }
    }
}

} // namespace

std::unique_ptr<Reader> open_reader(ReaderOptions options, Reader::Done done, const System &system) {
    check(options);
    auto                  files = std::make_unique<Files>(options.copies, options.direct, system);
    std::string           note = "threads";
    std::unique_ptr<Ring> ring;
    if (options.uring) ring = ring_for(*files, options, system, note);
    options.uring = ring != nullptr;
    if (options.direct && !files->direct()) note += ", through the page cache: the file system has no direct reads";
    if (ring) return read_by_ring(std::move(files), options, std::move(done), std::move(ring), note);
    return read_by_threads(std::move(files), options, std::move(done), system, note);
}

} // namespace kimicode::reading

namespace kimicode {

std::unique_ptr<Reader> Reader::open(const ReaderOptions &options, Done done) {
    return reading::open_reader(options, std::move(done), reading::System::real());
}

} // namespace kimicode
