// What a pickle asks Python for beside PyTorch and NumPy: what somebody who loads the file in Python should know.
#pragma once

#include <string>
#include <vector>

#include "archive/pickle.h"

namespace ptrun::archive {

// Classes and functions that the stream names, each once, in order; without those of PyTorch, NumPy and plain
// containers. Names as found: print them with printable().
std::vector<std::string> foreign_names(const Pickle& data);

// True for functions that run programs or code, or reach files and the network ("posix.system", "builtins.exec").
bool runs_code(std::string_view name);

}  // namespace ptrun::archive
