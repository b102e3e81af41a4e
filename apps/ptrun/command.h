// The commands: what they say about themselves in one table (words.cpp), what they do in one file each (table in
// module.cpp). The program itself knows only the words; the engine, and LibTorch with it, is opened when a command
// runs.
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
  kClosedPipe = 141,  // the reader of standard output has gone (head): what a shell shows for a program SIGPIPE ended
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

// The error's message; where the library names a preset's field, the option that sets it.
std::string message_of(const Error& error);

// Calls `work`; an error of the library leaves as Exit.
template <typename Work>
auto exit_on_error(int otherwise, Work work) {
  try {
    return work();
  } catch (const Error& error) {
    throw Exit(exit_code(error.code(), otherwise), message_of(error));
  }
}

struct Command {
  const char* name;
  const char* summary;  // one line for ptrun --help
  const char* usage;    // the words after "ptrun NAME"
  const char* notes;    // after the options in ptrun NAME --help
  std::vector<OptionGroup> (*options)();
  // Throws what run() would for values that are wrong on their own, before the engine is opened; may be null.
  void (*check)(const Arguments& arguments);
};

const std::vector<Command>& commands();
const Command& command_named(const std::string& name);  // throws UsageError with the nearest match

// What a command does; the words of `arguments` are not judged yet.
int run_predict(const Arguments& arguments, Console& console);
int run_benchmark(const Arguments& arguments, Console& console);
int run_calibrate(const Arguments& arguments, Console& console);
int run_convert(const Arguments& arguments, Console& console);
int run_inspect(const Arguments& arguments, Console& console);
int run_models(const Arguments& arguments, Console& console);
int run_devices(const Arguments& arguments, Console& console);

}  // namespace ptrun::tool
