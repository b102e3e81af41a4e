// Prints how far TorchScript models are from Python's numbers: torchscript_check FOLDER [TOLERANCE]. The folder is made
// by make_torchscript_models.py; scripts/check_torchscript.sh does both. Exit code 1 when one differs.
#include <cstdio>
#include <cstdlib>
#include <exception>

#include "golden/torchscript_golden.h"

int main(int argc, char** argv) {
  if (argc < 2) {
    std::fprintf(stderr, "usage: torchscript_check FOLDER [TOLERANCE]\n");
    return 2;
  }
  const double tolerance = argc > 2 ? std::strtod(argv[2], nullptr) : 1e-4;
  bool ok = true;
  try {
    for (const auto& expected : ptrun::test::read_cases(argv[1])) {
      const ptrun::test::Comparison result = ptrun::test::compare(argv[1], expected, tolerance);
      std::printf("%-44s load %6.0f ms  largest difference %.3g of %zu numbers%s\n", result.file.c_str(),
                  result.load_seconds * 1000, result.worst, result.elements, result.wrong.empty() ? "" : "  WRONG");
      for (const std::string& wrong : result.wrong) std::printf("    %s\n", wrong.c_str());
      ok = ok && result.wrong.empty();
    }
  } catch (const std::exception& error) {
    std::fprintf(stderr, "torchscript_check: %s\n", error.what());
    return 2;
  }
  return ok ? 0 : 1;
}
