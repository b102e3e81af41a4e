// libptrun_tool.so: the commands themselves, opened by the program when one is to run.
#include <array>

#include "front.h"

namespace ptrun::tool {
namespace {

struct Runner {
  const char* command;
  int (*run)(const Arguments& arguments, Console& console);
};

constexpr std::array<Runner, 7> kRunners = {{{"predict", run_predict},
                                             {"calibrate", run_calibrate},
                                             {"benchmark", run_benchmark},
                                             {"inspect", run_inspect},
                                             {"convert", run_convert},
                                             {"models", run_models},
                                             {"devices", run_devices}}};

int run_command(std::vector<std::string> words, Console& console) {
  const auto request = read_command(std::move(words), console);
  if (!request) return kDone;
  for (const Runner& runner : kRunners) {
    if (std::string_view(runner.command) == request->command->name) return runner.run(request->arguments, console);
  }
  throw Error(ErrorCode::internal, request->command->name, "the command has no runner");
}

}  // namespace
}  // namespace ptrun::tool

extern "C" PTRUN_API int ptrun_tool_run(int count, const char* const* words) {
  ptrun::tool::Console console;
  return ptrun::tool::guarded(console, [&] { return ptrun::tool::run_command({words, words + count}, console); });
}
