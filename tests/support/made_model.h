// A Model put together by hand, for tests of what runs and reads one.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "loader/model_impl.h"
#include "ptrun/error.h"

namespace ptrun::test {

struct MadeModel {
  Module module = {};
  Signature signature = {};
  Task task = Task::classify;
  bool task_given = false;
  std::vector<std::string> labels = {};
};

// Its path is "test.pt".
inline Model made_model(MadeModel parts) {
  auto impl = std::make_shared<Model::Impl>();
  impl->path = "test.pt";
  impl->module = std::move(parts.module);
  impl->signature = std::move(parts.signature);
  impl->task = parts.task;
  impl->task_given = parts.task_given;
  impl->labels.names = std::move(parts.labels);
  return Model(impl);
}

// The Error that `work` throws; a failure of the test when it throws none.
template <typename Work>
Error error_of(const Work& work) {
  try {
    work();
  } catch (const Error& error) {
    return error;
  }
  ADD_FAILURE() << "nothing was thrown";
  return {ErrorCode::internal, "", ""};
}

}  // namespace ptrun::test
