#include "task/task.h"

#include "core/text.h"
#include "loader/model_impl.h"
#include "ptrun/error.h"
#include "task/heads.h"

namespace ptrun {

const std::vector<TaskInfo>& tasks() {
  static const std::vector<TaskInfo> kTasks = {
      {Task::classify, "classify", make_classify}, {Task::detect, "detect", make_detect},
      {Task::segment, "segment", make_segment},    {Task::keypoints, "keypoints", make_keypoints},
      {Task::tensors, "tensors", make_tensors},
  };
  return kTasks;
}

std::unique_ptr<TaskHead> make_task(const Model& model, const PredictOptions& options) {
  std::vector<std::string> known;
  std::string problem =
      std::string("its task is ") + to_string(model.task()) + ", which this version of ptrun does not decode";
  for (const TaskInfo& info : tasks()) {
    known.emplace_back(info.name);
    if (info.task != model.task()) continue;
    try {
      return info.make(model, options);
    } catch (const Error& error) {
      if (error.code() != ErrorCode::unsupported || model.impl().task_given) throw;
      problem = error.problem();
    }
  }
  if (model.impl().task_given) {
    throw Error(ErrorCode::unsupported, model.path(),
                std::string("its task is ") + to_string(model.task()) + ", this version of ptrun has " +
                    join_some(known) + "; --task tensors gives the raw outputs");
  }
  // The file says what it is for; its raw outputs are there all the same.
  if (options.log) options.log(LogLevel::warning, model.path() + ": " + problem + "; raw outputs follow");
  return make_tensors(model, options);
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
