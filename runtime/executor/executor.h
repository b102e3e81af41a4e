// Runs a Module on a device, in one precision.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "loader/model_impl.h"
#include "ptrun/device.h"
#include "ptrun/log.h"
#include "ptrun/predictor.h"

namespace at {
class Tensor;
}
namespace c10 {
struct IValue;
}

namespace ptrun {

struct Int8Ranges;

struct ExecutorOptions {
  Device device;
  Precision precision = Precision::fp32;
  int batch_size = 1;  // images a call; a smaller batch is padded to it
  // Height and width of every image; 0: unknown, and no plan is made for one shape.
  int height = 0;
  int width = 0;
  // A hint; 0: unknown. Jobs of many images pay for plans that are made for one shape and held against the plain one
  // (0.2 to 4 s of one CPU, on a thread of their own). bf16 and int8 are always such plans; `automatic` tries bf16
  // first where the processor has it, then fp32. Long jobs in fp32 also get one warning about what bf16 would save,
  // those in int8 one where it saves nothing.
  std::size_t images = 0;
  // For int8; null: those beside the model's file.
  std::shared_ptr<const Int8Ranges> ranges = nullptr;
  int threads = 1;  // OpenMP threads of the threads that will call run
  LogCallback log;
};

// Thread rule: immutable after construction, any thread may run. Does not change the OpenMP thread count of the
// caller. The first run waits until the plan is decided, which depends on the model, the options and the processor, and
// stays the same for every run. The destructor breaks off what only a warning waits for. Throws model_failed naming
// the model when the module throws, invalid_argument for inputs that the signature does not allow, unsupported for a
// precision that the device has no plan for.
class Executor {
 public:
  Executor(const Model& model, const ExecutorOptions& options);
  ~Executor();

  // For InputForm::batched_nchw: `batch` [N, 3, H, W] float32 on the CPU, 1 <= N <= batch_size. Pads to batch_size and
  // cuts every output tensor whose first dimension is the batch back to N.
  c10::IValue run(const at::Tensor& batch) const;
  // For InputForm::list_chw: tensors [3, H, W] float32 of any sizes.
  c10::IValue run_list(const std::vector<at::Tensor>& images) const;

  // "plain", "cpu_onednn", "script", ... (plan.cpp). Waits until the plan is decided.
  const char* plan_name() const noexcept;
  // The batch size that is really used: the one asked for, or the one that the module was fixed to.
  int batch_size() const noexcept;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

// `device`, or the CPU, said in the log, when `model` has parts that only the CPU can run. For --device auto; who names
// a device gets it or an error.
Device fit_device(const Model& model, const Device& device, const LogCallback& log);

}  // namespace ptrun
