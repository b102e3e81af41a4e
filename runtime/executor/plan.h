// The kinds of plan, in one table (plan.cpp). A new kind: one file, one row, one test against "plain".
#pragma once

#include <ATen/core/ivalue.h>

#include <memory>
#include <string>
#include <vector>

#include "executor/executor.h"

namespace ptrun {

// One way to run a module. Immutable: any thread may call run at the same time.
class Plan {
 public:
  virtual ~Plan() = default;
  // `inputs` on the CPU in the order of the signature; the result, on the CPU, is the module's own output. Throws what
  // LibTorch throws; the Executor translates it.
  virtual c10::IValue run(std::vector<c10::IValue> inputs) const = 0;
};

struct Folded;
struct Int8Ranges;

struct PlanRequest {
  Device device;
  // For kinds on trial: inputs of the shapes that the plan is for, made-up values.
  std::vector<c10::IValue> example;
  // The plan will run batches of another size than the example's; else only inputs of the example's shapes.
  bool any_batch = false;
  std::shared_ptr<const Folded> folded = nullptr;      // of the module and the example, made once for all kinds
  std::shared_ptr<const Int8Ranges> ranges = nullptr;  // of the model's tensors, for int8
};

struct PlanKind {
  const char* name;
  Device::Kind device;
  Precision precision;
  bool (*accepts)(const Module& module);
  // Null where a kind on trial cannot serve this module. Throws what LibTorch throws.
  std::unique_ptr<Plan> (*make)(const Module& module, const PlanRequest& request);
  // On trial: made for one input shape, for jobs that pay for the making, and taken only when it gives the numbers of
  // the first kind that is not on trial, in less time (trial.h).
  bool on_trial = false;
};

// In order of preference: the first not on trial that accepts device, precision and module is taken.
const std::vector<PlanKind>& plan_kinds();

bool accepts_graph(const Module& module);
std::unique_ptr<Plan> make_plain_plan(const Module& module, const PlanRequest& request);
std::unique_ptr<Plan> make_fused_plan(const Module& module, const PlanRequest& request);
std::unique_ptr<Plan> make_fused_bf16_plan(const Module& module, const PlanRequest& request);
// Of --precision auto alone; null where the processor multiplies 16-bit integers no faster than floats.
std::unique_ptr<Plan> make_mixed_plan(const Module& module, const PlanRequest& request);
std::unique_ptr<Plan> make_onednn_plan(const Module& module, const PlanRequest& request);
std::unique_ptr<Plan> make_onednn_bf16_plan(const Module& module, const PlanRequest& request);
std::unique_ptr<Plan> make_packed_plan(const Module& module, const PlanRequest& request);
std::unique_ptr<Plan> make_packed_bf16_plan(const Module& module, const PlanRequest& request);
std::unique_ptr<Plan> make_int8_plan(const Module& module, const PlanRequest& request);
std::unique_ptr<Plan> make_int8_bf16_plan(const Module& module, const PlanRequest& request);
bool accepts_script(const Module& module);
std::unique_ptr<Plan> make_script_plan(const Module& module, const PlanRequest& request);

bool accepts_native(const Module& module);
std::unique_ptr<Plan> make_native_plan(const Module& module, const PlanRequest& request);

// Why `module` cannot run on a GPU ("its operator torchvision::nms has no CUDA kernel here"); empty when it can.
std::string why_not_cuda(const Module& module);
bool accepts_cuda(const Module& module);

}  // namespace ptrun
