// Compares TorchScript files with what Python's PyTorch said about them (expected.json of make_torchscript.py and
// make_torchscript_models.py).
#pragma once

#include <iosfwd>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "ptrun/model.h"

namespace ptrun::test {

// What one model file gave, compared with expected.json.
struct Comparison {
  std::string file;
  double worst = 0.0;  // largest absolute difference of any output element
  double load_seconds = 0.0;
  std::size_t elements = 0;        // compared
  std::vector<std::string> wrong;  // one sentence for each fact or output that differs
};

// The cases of `folder`/expected.json. Throws when the file is missing or is no such JSON.
std::vector<nlohmann::json> read_cases(const std::string& folder);

// A case as the parameter of a test; `name` is its file's without the ending, in letters that a test may be called by.
struct GoldenCase {
  nlohmann::json expected;
  std::string name;
};
// Keeps the recorded numbers out of the test's output.
void PrintTo(const GoldenCase& value, std::ostream* out);
GoldenCase golden_case(nlohmann::json expected);
std::vector<GoldenCase> golden_cases(const std::string& folder);

// Loads the case's model, compares its signature, runs every recorded input through an Executor and compares the output
// tree; `tolerance` is absolute, and relative to the largest value of an output above 1.
Comparison compare(const std::string& folder, const nlohmann::json& expected, double tolerance,
                   const LoadOptions& options = {});

}  // namespace ptrun::test
