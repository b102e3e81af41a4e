#pragma once

#include <functional>
#include <string>

namespace ptrun {

enum class LogLevel { debug, info, warning, error };

// Receives what the library has to say; the library itself never prints. Called from any thread, one call at
// a time per model or job. Must not throw.
using LogCallback = std::function<void(LogLevel level, const std::string& message)>;

}  // namespace ptrun
