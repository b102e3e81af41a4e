// ptrun: help, version and wrong usage at once; for a command the module that holds it, and with it LibTorch, is
// opened.
#include <dlfcn.h>
#include <fcntl.h>
#include <malloc.h>
#include <unistd.h>

#include "front.h"

namespace ptrun::tool {
namespace {

// The kernel reads the first files while LibTorch is loaded, which takes longer than most models take to read.
void read_ahead(const Arguments& arguments) {
  constexpr std::size_t kFiles = 8;
  const std::vector<std::string>& words = arguments.words();
  for (std::size_t i = 0; i < words.size() && i < kFiles; ++i) {
    const int file = ::open(words[i].c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (file < 0) continue;  // whatever it is, the command says so
    ::posix_fadvise(file, 0, 0, POSIX_FADV_WILLNEED);
    ::close(file);
  }
}

ModuleEntry open_module() {
  // Found beside the program by its run path, in a build folder as after an install.
  void* module = ::dlopen(PTRUN_TOOL_MODULE, RTLD_NOW | RTLD_LOCAL);
  void* entry = module == nullptr ? nullptr : ::dlsym(module, kModuleEntry);
  if (entry != nullptr) return reinterpret_cast<ModuleEntry>(entry);
  const char* reason = ::dlerror();
  throw Exit(kModelFailed, std::string(PTRUN_TOOL_MODULE) +
                               ": the engine cannot be opened: " + (reason != nullptr ? reason : "unknown reason") +
                               "; install ptrun again, or set LD_LIBRARY_PATH to LibTorch's folder lib");
}

int run(int count, const char* const* words, Console& console) {
  const auto request = read_command({words, words + count}, console);
  if (!request) return kDone;
  read_ahead(request->arguments);
  return open_module()(count, words);
}

}  // namespace
}  // namespace ptrun::tool

int main(int count, char** words) {
  // Freed activations stay with the process: giving them back costs more page faults than the model's own work gains
  // (MobileNetV2, 168 photos: system time 1.0 s -> 0.1 s at batch 1, 0.8 s -> 0.5 s at batch 4).
  ::mallopt(M_MMAP_THRESHOLD, 1 << 30);
  ::mallopt(M_TRIM_THRESHOLD, 1 << 30);
  ptrun::tool::Console console;
  const int own = count > 0 ? 1 : 0;
  const int code = ptrun::tool::guarded(console, [&] { return ptrun::tool::run(count - own, words + own, console); });
  // Everything is written; LibTorch's exit handlers would cost 50 ms more.
  ::_exit(code);
}
