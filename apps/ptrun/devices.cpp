// ptrun devices: what a model can run on here.
#include "command.h"
#include "ptrun/device.h"

namespace ptrun::tool {
int run_devices(const Arguments& arguments, Console& console) {
  if (!arguments.words().empty()) throw UsageError(arguments.words().front() + ": ptrun devices takes no words");
  for (const DeviceInfo& info : exit_on_error(kNoDevice, [] { return devices(); })) {
    console.write_result(info.name + std::string(info.name.size() < 8 ? 8 - info.name.size() : 1, ' ') +
                         info.description + '\n');
  }
  return kDone;
}

}  // namespace ptrun::tool
