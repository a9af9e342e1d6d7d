// The process's store of experts, which the backend and the functions of api.h share, and what went wrong last.

#pragma once

#include "store.hpp"

#include <memory>
#include <string>

namespace kimicode {

// Null where none is open. It lives as long as somebody has it.
std::shared_ptr<Store> open_store();

// Let it be this one from now on, or none.
void set_open_store(std::shared_ptr<Store>);

// A sentence: for this thread's next `kimicode_experts_error`, and for those of threads that have none of their own.
void set_error(const std::string &);

} // namespace kimicode
