// Opening a reader on a system that may not be the real one: for tests.

#pragma once

#include "reader.hpp"
#include "reader_system.hpp"

namespace kimicode::reading {

std::unique_ptr<Reader> open_reader(ReaderOptions, Reader::Done, const System &);

} // namespace kimicode::reading
