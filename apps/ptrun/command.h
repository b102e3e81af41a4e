// The commands, one file each, in one table (main.cpp).
#pragma once

#include <stdexcept>
#include <string>
#include <vector>

#include "arguments.h"
#include "console.h"
#include "ptrun/error.h"

namespace ptrun::tool {

// Scripts rely on these numbers.
enum ExitCode {
  kDone = 0,
  kSomeFailed = 1,   // some images failed; each has its row
  kUsage = 2,        // wrong usage
  kModelFailed = 3,  // the model cannot be loaded or run
  kOutputFailed = 4,
  kNoDevice = 5,
  kInterrupted = 130,
};

// Ends the command with a message.
class Exit : public std::runtime_error {
 public:
  Exit(int code, const std::string& message) : std::runtime_error(message), code_(code) {}
  int code() const noexcept { return code_; }

 private:
  int code_;
};

// What an error of the library means for the exit code; `otherwise` where its code does not say.
inline int exit_code(ErrorCode code, int otherwise) {
  switch (code) {
    case ErrorCode::invalid_argument: return kUsage;
    case ErrorCode::device_unavailable: return kNoDevice;
    case ErrorCode::output_failed: return kOutputFailed;
    case ErrorCode::cancelled: return kInterrupted;
    default: return otherwise;
  }
}

// Calls `work`; an error of the library leaves as Exit.
template <typename Work>
auto exit_on_error(int otherwise, Work work) {
  try {
    return work();
  } catch (const Error& error) {
    throw Exit(exit_code(error.code(), otherwise), error.what());
  }
}

struct Command {
  const char* name;
  const char* summary;  // one line for ptrun --help
  const char* usage;    // the words after "ptrun NAME"
  const char* notes;    // after the options in ptrun NAME --help
  std::vector<OptionGroup> (*options)();
  int (*run)(const Arguments& arguments, Console& console);
};

extern const Command kPredict;
extern const Command kInspect;
extern const Command kModels;
extern const Command kDevices;

}  // namespace ptrun::tool
