// What an exported program takes and gives, from its own description.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "archive/exported_program.h"
#include "ptrun/prediction.h"
#include "ptrun/signature.h"

namespace ptrun::exported {

struct ProgramInterface {
  Signature signature;
  // classify for one output [N, C] of a floating type, C > 1; segment for a class map
  Task task = Task::tensors;
  // Why an input of a shape is refused ("has 100 in dimension 2, expected a multiple of 32"), empty when it is allowed.
  std::function<std::string(const std::vector<std::int64_t>& shape)> input_problem;
  std::vector<std::string> notes;
};

// What runs in the place of `dtype`: half precision is float32 on the CPU, as weights in it are.
DType run_dtype(DType dtype);

// Throws Error(unsupported) for a program that takes no image: no tensor, or one that is not [N, C, H, W].
ProgramInterface read_interface(const archive::exported::Program& program, const std::string& subject);

}  // namespace ptrun::exported
