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
  // Completes `outcomes` (one per image of the batch, each with a prediction whose geometry is set) from the module's
  // output. An image whose scores are NaN or Inf becomes a Failure of stage model, the others are not touched by it.
  // Throws model_failed naming the model when the output does not have the task's shape.
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
