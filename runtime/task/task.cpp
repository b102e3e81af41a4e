#include "task/task.h"

#include "core/text.h"
#include "loader/model_impl.h"
#include "ptrun/error.h"
#include "task/heads.h"

namespace ptrun {

const std::vector<TaskInfo>& tasks() {
  static const std::vector<TaskInfo> kTasks = {
      {Task::classify, "classify", make_classify},
      {Task::detect, "detect", make_detect},
      {Task::tensors, "tensors", make_tensors},
  };
  return kTasks;
}

std::unique_ptr<TaskHead> make_task(const Model& model, const PredictOptions& options) {
  std::vector<std::string> known;
  for (const TaskInfo& info : tasks()) {
    if (info.task == model.task()) return info.make(model, options);
    known.emplace_back(info.name);
  }
  if (!model.impl().task_given) {
    // The file says what it is for; its raw outputs are there all the same.
    if (options.log) {
      options.log(LogLevel::warning, model.path() + ": its task is " + to_string(model.task()) +
                                         ", which this version of ptrun does not decode; raw outputs follow");
    }
    return make_tensors(model, options);
  }
  throw Error(ErrorCode::unsupported, model.path(),
              std::string("its task is ") + to_string(model.task()) + ", this version of ptrun has " +
                  join_some(known) + "; --task tensors gives the raw outputs");
}

std::string shape_text(const std::vector<std::int64_t>& shape) {
  std::string text = "[";
  for (const std::int64_t size : shape) text += (text.size() > 1 ? ", " : "") + std::to_string(size);
  return text + "]";
}

void fail_image(Outcome& outcome, std::string message) {
  outcome.prediction.reset();
  outcome.failure = {Stage::model, std::move(message)};
}

}  // namespace ptrun
