// The constructors behind the table in task.cpp, and what heads share.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "task/task.h"

namespace ptrun {

std::unique_ptr<TaskHead> make_classify(const Model& model, const PredictOptions& options);
std::unique_ptr<TaskHead> make_detect(const Model& model, const PredictOptions& options);
std::unique_ptr<TaskHead> make_tensors(const Model& model, const PredictOptions& options);

// "[2, 1000]".
std::string shape_text(const std::vector<std::int64_t>& shape);

// Turns `outcome` into a failure of the model.
void fail_image(Outcome& outcome, std::string message);

}  // namespace ptrun
