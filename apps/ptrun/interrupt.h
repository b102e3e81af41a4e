#pragma once

#include <atomic>

namespace ptrun::tool {

// From here on the first SIGINT or SIGTERM sets the flag that it returns; the second ends the process at once with
// exit code 130. SIGPIPE is ignored, so that a closed pipe is an error of the write.
const std::atomic<bool>& catch_interrupts();

}  // namespace ptrun::tool
