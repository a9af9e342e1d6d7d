#include "reader_api.h"

#include "reader_tune.hpp"

#include <cstdio>
#include <exception>

using namespace kimicode;

namespace {

ReaderOptions options_of(const kimicode_reader &c) {
    ReaderOptions o;
    for (int copy = 0; copy < c.copies; ++copy) o.copies.emplace_back(c.paths + copy * c.files, c.paths + (copy + 1) * c.files);
    if (c.piece) o.piece = c.piece;
    if (c.depth) o.depth = c.depth;
    o.direct = c.direct;
    o.uring = c.uring;
    return o;
}

int told(ReadRate (*measure)(const ReaderOptions &, double), const kimicode_reader &c, double seconds, kimicode_read_rate &out, char *error,
         size_t room) {
    try {
        ReadRate found = measure(options_of(c), seconds);
        out = {found.piece, found.depth, found.direct, found.uring, found.bytes_per_second};
        return 0;
    } catch (const std::exception &wrong) {
        snprintf(error, room, "%s", wrong.what());
        return 1;
    }
}

} // namespace

int kimicode_measure_reader(const kimicode_reader *reader, double seconds, kimicode_read_rate *out, char *error, size_t room) {
    return told(read_rate, *reader, seconds, *out, error, room);
}

int kimicode_tune_reader(const kimicode_reader *reader, double seconds, kimicode_read_rate *out, char *error, size_t room) {
    return told(tune, *reader, seconds, *out, error, room);
}
