// One precision beside another: the same images, the same processor.
#pragma once

#include <ATen/core/ivalue.h>

#include <vector>

#include "executor/executor.h"
#include "ptrun/calibrate.h"

namespace ptrun::evaluate {

// Adds what two results for the same `images` images say to `summary`: compared, same_top1, differences.
void compare_results(const c10::IValue& expected, const c10::IValue& found, std::size_t images,
                     CalibrationSummary& summary);

// Images a second of the calling thread's processor time, each executor on the same made-up batch, in turns; one rate
// for each executor.
std::vector<double> rates(const std::vector<const Executor*>& executors, int height, int width);

}  // namespace ptrun::evaluate
