// The constructors behind the table in task.cpp, and what heads share.
#pragma once

#include <ATen/core/ivalue.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "task/task.h"

namespace ptrun {

std::unique_ptr<TaskHead> make_classify(const Model& model, const PredictOptions& options);
std::unique_ptr<TaskHead> make_detect(const Model& model, const PredictOptions& options);
std::unique_ptr<TaskHead> make_segment(const Model& model, const PredictOptions& options);
std::unique_ptr<TaskHead> make_keypoints(const Model& model, const PredictOptions& options);
// segment: a class for every pixel.
std::unique_ptr<TaskHead> make_semantic(const Model& model);
// detect, segment and keypoints of models that take a list of images.
std::unique_ptr<TaskHead> make_listed(const Model& model, const PredictOptions& options);
std::unique_ptr<TaskHead> make_tensors(const Model& model, const PredictOptions& options);

// The entries of `output`, one for each of `images`, possibly behind a tuple (losses, entries). Throws model_failed.
c10::List<c10::IValue> image_entries(const Model& model, const c10::IValue& output, std::size_t images);

// "[2, 1000]".
std::string shape_text(const std::vector<std::int64_t>& shape);

// Turns `outcome` into a failure of the model.
void fail_image(Outcome& outcome, std::string message);

}  // namespace ptrun
