// The ways in which a reader's pieces are read: by threads of its own, one for each piece on the way, or by io_uring, with one thread.

#pragma once

#include "reader.hpp"
#include "reader_system.hpp"

namespace kimicode::reading {

// As Reader::open, with a system that may not be the real one.
std::unique_ptr<Reader> open_reader(const ReaderOptions &, Reader::Done, const System &);

} // namespace kimicode::reading
