// What the program and its module share: the command line read, messages and exit codes.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "command.h"

namespace ptrun::tool {

struct Request {
  const Command* command = nullptr;
  Arguments arguments;
};

// Answers what needs no engine (help, version) and returns nothing, or the command to run with its options checked;
// the console is set as they say. Throws UsageError, Error or ClosedPipe.
std::optional<Request> read_command(std::vector<std::string> words, Console& console);

// The exit code of `work`; what it throws becomes a message.
int guarded(Console& console, const std::function<int()>& work);

// The module's entry, by this name. `words`: those after the program's name.
constexpr const char* kModuleEntry = "ptrun_tool_run";
using ModuleEntry = int (*)(int count, const char* const* words);

}  // namespace ptrun::tool
