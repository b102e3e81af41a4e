// The options of ptrun predict and what they become.
#pragma once

#include <string>
#include <vector>

#include "arguments.h"
#include "ptrun/calibrate.h"
#include "ptrun/job.h"
#include "ptrun/preset.h"

namespace ptrun::tool {

std::vector<OptionGroup> predict_option_groups();
std::vector<OptionGroup> benchmark_option_groups();
std::vector<OptionGroup> calibrate_option_groups();

// Throw UsageError, or Error(invalid_argument).
SourceOptions source_options(const Arguments& arguments);
PresetLayer preset_layer(const Arguments& arguments);
JobOptions job_options(const Arguments& arguments);
CalibrateOptions calibrate_options(const Arguments& arguments);
// Options that were given although a model of this task has no use for them.
void refuse_unused_options(const Arguments& arguments, Task task);

}  // namespace ptrun::tool
