// Parts of ptrun that sit in shared libraries of their own and are opened on demand, because what they link is large
// or not on every machine (OpenCV, CUDA).
#pragma once

#include <string>

namespace ptrun {

// The C function `symbol` of module `file_name` ("libptrun_opencv.so"), which lies beside libptrun.so (or beside the
// program, when the library is linked into it). Opened with RTLD_LOCAL, so the host does not meet its libraries, and
// stays open until the process ends. Throws unsupported naming the module, where it was looked for and the reason.
// Any thread.
void* module_symbol(const std::string& file_name, const char* symbol);

// The same for a module whose libraries the host may have in another version: it finds its own before the host's.
void* own_module_symbol(const std::string& file_name, const char* symbol);

}  // namespace ptrun
