// Tensors -> Prediction. One file per task, in one table (task.cpp).
#pragma once

#include <memory>
#include <string_view>
#include <vector>

#include "ptrun/model.h"
#include "ptrun/prediction.h"
#include "ptrun/predictor.h"

namespace c10 {
struct IValue;
}

namespace ptrun {

// Immutable; any thread may call read.
class TaskHead {
 public:
  virtual ~TaskHead() = default;
  // Fills `predictions` (one per image of the batch, geometry already set) from the module's output. Throws
  // model_failed when the output does not have the task's shape, or is NaN or Inf for an image.
  virtual void read(const c10::IValue& output, std::vector<Outcome>& outcomes) const = 0;
};

struct TaskInfo {
  Task task;
  std::string_view name;  // "classify"
  std::unique_ptr<TaskHead> (*make)(const Model& model, const PredictOptions& options);
};

const std::vector<TaskInfo>& tasks();
// Throws unsupported naming the tasks that this build knows.
std::unique_ptr<TaskHead> make_task(const Model& model, const PredictOptions& options);

}  // namespace ptrun
