#pragma once

// Marks what an application may call: everything else in libptrun.so is hidden.
#if defined(_WIN32)
#error "ptrun is built and tested on Linux only"
#else
#define PTRUN_API __attribute__((visibility("default")))
#endif
