// Keeps LibTorch's warnings from standard error, which belongs to the host program.
#pragma once

#include <memory>

namespace ptrun::jit {

// While it lives, warnings of the calling thread are dropped; those of other threads are not touched.
class Silence {
 public:
  Silence();
  ~Silence();
  Silence(const Silence&) = delete;
  Silence& operator=(const Silence&) = delete;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace ptrun::jit
