// What the commands that run a model on images have in common.
#pragma once

#include "arguments.h"
#include "console.h"
#include "ptrun/job.h"
#include "ptrun/model.h"

namespace ptrun::tool {

// The images that the words after the model name, with a warning about names that were skipped. Throws UsageError
// where no source is given, Exit where none of them holds an image.
InputList image_list(const char* command, const Arguments& arguments, Console& console);

// How the options ask for the model to be loaded.
LoadOptions load_options(const Arguments& arguments);

}  // namespace ptrun::tool
