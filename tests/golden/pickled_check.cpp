// Prints how far whole pickled models are from Python's numbers: pickled_check FOLDER [TOLERANCE [TEXT]]. The folder's
// expected.json lists the files, their inputs and outputs, each tensor in a file of raw float32;
// make_ultralytics_models.py writes it, scripts/check_ultralytics.sh does both. TEXT: only files whose name holds it.
// Exit code 1 when one differs.
#include <ATen/ATen.h>

#include <cstdio>
#include <cstdlib>
#include <exception>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>
#include <stdexcept>

#include "executor/executor.h"

namespace {

using nlohmann::json;

std::string read_file(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) throw std::runtime_error(path + " cannot be read");
  std::stringstream bytes;
  bytes << file.rdbuf();
  return bytes.str();
}

at::Tensor read_tensor(const std::string& folder, const json& spec) {
  std::string bytes = read_file(folder + "/" + spec.at("data").get<std::string>());
  const auto shape = spec.at("shape").get<std::vector<std::int64_t>>();
  const at::Tensor tensor = at::from_blob(bytes.data(), shape, at::kFloat);
  if (static_cast<std::size_t>(tensor.numel()) * sizeof(float) != bytes.size()) {
    throw std::runtime_error(spec.at("data").get<std::string>() + " has another size than its shape");
  }
  return tensor.clone();
}

std::vector<at::Tensor> tensors_of(const c10::IValue& value) {
  if (value.isTensor()) return {value.toTensor()};
  std::vector<at::Tensor> tensors;
  for (const c10::IValue& item : value.toTupleRef().elements()) tensors.push_back(item.toTensor());
  return tensors;
}

// Largest difference, and the same in units of the largest number of its output.
struct Worst {
  double absolute = 0.0;
  double relative = 0.0;
};

void compare(const std::string& folder, const json& run, const ptrun::Model& model, Worst& worst) {
  const at::Tensor input = read_tensor(folder, run.at("input"));
  ptrun::ExecutorOptions options;
  options.batch_size = static_cast<int>(input.size(0));
  const std::vector<at::Tensor> outputs = tensors_of(ptrun::Executor(model, options).run(input));
  const json& expected = run.at("outputs");
  if (outputs.size() != expected.size()) throw std::runtime_error("another number of outputs");
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    const at::Tensor wanted = read_tensor(folder, expected[i]).to(at::kDouble);
    if (outputs[i].sizes() != wanted.sizes())
      throw std::runtime_error("output " + std::to_string(i) + " has another shape");
    const double difference = (outputs[i].to(at::kDouble) - wanted).abs().max().item<double>();
    worst.absolute = std::max(worst.absolute, difference);
    worst.relative = std::max(worst.relative, difference / wanted.abs().max().item<double>());
  }
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2) {
    std::fprintf(stderr, "usage: pickled_check FOLDER [TOLERANCE [TEXT]]\n");
    return 2;
  }
  const std::string folder = argv[1];
  const double tolerance = argc > 2 ? std::strtod(argv[2], nullptr) : 1e-4;
  bool ok = true;
  std::size_t compared = 0;
  try {
    for (const json& wanted : json::parse(read_file(folder + "/expected.json"))) {
      const auto file = wanted.at("file").get<std::string>();
      if (argc > 3 && file.find(argv[3]) == std::string::npos) continue;
      ++compared;
      Worst worst;
      std::string wrong;
      std::string facts;
      try {
        const ptrun::Model model = ptrun::load_model(folder + "/" + file);
        facts = std::string(to_string(model.task())) + " " + model.architecture();
        for (const json& run : wanted.at("runs")) compare(folder, run, model, worst);
        if (!(worst.relative <= tolerance)) wrong = "differs";
      } catch (const std::exception& error) {
        wrong = error.what();
      }
      std::printf("%-34s %-28s absolute %.3g  relative %.3g  %zu inputs %s\n", file.c_str(), facts.c_str(),
                  worst.absolute, worst.relative, wanted.at("runs").size(),
                  wrong.empty() ? "" : ("WRONG: " + wrong).c_str());
      ok = ok && wrong.empty();
    }
  } catch (const std::exception& error) {
    std::fprintf(stderr, "pickled_check: %s\n", error.what());
    return 2;
  }
  return ok && compared > 0 ? 0 : 1;
}
