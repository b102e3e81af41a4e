// One fuzz target: a function over bytes. Error is the right answer to bad bytes; anything else ends the program.
#pragma once

#include <string>

#include "ptrun/error.h"

namespace ptrun::test {

// Defined by each fuzz_*.cpp. May throw ptrun::Error.
void fuzz(std::string bytes);

}  // namespace ptrun::test
