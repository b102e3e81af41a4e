#include "golden/torchscript_golden.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cctype>
#include <chrono>
#include <fstream>
#include <stdexcept>

#include "executor/executor.h"
#include "loader/model_impl.h"

namespace ptrun::test {
namespace {

using nlohmann::json;

// The same numbers as example() of scripts/fixtures/torchscript_common.py.
at::Tensor example(const std::vector<std::int64_t>& sizes, std::int64_t start) {
  std::int64_t count = 1;
  for (const std::int64_t size : sizes) count *= size;
  return at::arange(count, at::kDouble).add(start).mul(0.7).sin().mul(0.5).add(0.5).to(at::kFloat).view(sizes);
}

struct Leaf {
  std::string path;
  at::Tensor tensor;
};

void leaves(const c10::IValue& value, const std::string& path, std::vector<Leaf>& found) {
  if (value.isTensor()) {
    found.push_back({path, value.toTensor()});
  } else if (value.isTuple()) {
    const auto& items = value.toTupleRef().elements();
    for (std::size_t i = 0; i < items.size(); ++i) leaves(items[i], path + "[" + std::to_string(i) + "]", found);
  } else if (value.isList()) {
    const auto items = value.toListRef();
    for (std::size_t i = 0; i < items.size(); ++i) leaves(items[i], path + "[" + std::to_string(i) + "]", found);
  } else if (value.isGenericDict()) {
    for (const auto& item : value.toGenericDict()) leaves(item.value(), path + "." + item.key().toStringRef(), found);
  } else if (!value.isNone()) {
    found.push_back({path + " (" + value.tagKind() + ")", at::Tensor()});
  }
}

void compare_outputs(const c10::IValue& result, const json& outputs, double tolerance, Comparison& comparison) {
  std::vector<Leaf> found;
  leaves(result, "", found);
  if (found.size() != outputs.size()) {
    comparison.wrong.push_back("has " + std::to_string(found.size()) + " outputs, expected " +
                               std::to_string(outputs.size()));
    return;
  }
  for (std::size_t i = 0; i < found.size(); ++i) {
    const json& expected = outputs[i];
    const std::string place = "output '" + found[i].path + "'";
    if (found[i].path != expected.at("path").get<std::string>() || !found[i].tensor.defined()) {
      comparison.wrong.push_back(place + ", expected '" + expected.at("path").get<std::string>() + "'");
      continue;
    }
    const at::Tensor& tensor = found[i].tensor;
    const auto shape = expected.at("shape").get<std::vector<std::int64_t>>();
    const std::string dtype = at::toString(tensor.scalar_type());
    const std::string wanted = expected.at("dtype");
    const bool same_dtype = (dtype == "Float" && wanted == "float32") || (dtype == "Long" && wanted == "int64") ||
                            (dtype == "Bool" && wanted == "bool") || (dtype == "Byte" && wanted == "uint8");
    if (tensor.sizes() != shape || !same_dtype) {
      comparison.wrong.push_back(place + " has another shape or dtype (" + dtype + ") than Python's");
      continue;
    }
    if (tensor.numel() == 0) continue;
    const auto data = expected.at("data").get<std::vector<double>>();
    const at::Tensor reference = at::tensor(data, at::kDouble).view(shape);
    const double difference = (tensor.to(at::kDouble) - reference).abs().max().item<double>();
    const double scale = std::max(1.0, reference.abs().max().item<double>());
    comparison.worst = std::max(comparison.worst, difference);
    comparison.elements += data.size();
    if (!(difference <= tolerance * scale)) {
      comparison.wrong.push_back(place + " differs by " + std::to_string(difference));
    }
  }
}

const char* form_name(InputForm form) {
  switch (form) {
    case InputForm::batched_nchw: return "batched_nchw";
    case InputForm::list_chw: return "list_chw";
    case InputForm::named: return "named";
  }
  return "unknown";
}

void compare_facts(const Model& model, const json& expected, Comparison& comparison) {
  const auto check = [&](bool holds, const std::string& what) {
    if (!holds) comparison.wrong.push_back(what);
  };
  const Signature& signature = model.signature();
  const json defaults = json::object();
  check(form_name(signature.form) == expected.at("form"), "another input form");
  check(to_string(model.task()) == expected.at("task"), std::string("another task: ") + to_string(model.task()));
  const bool graph = std::holds_alternative<GraphModule>(model.impl().module);
  check((graph ? "plain" : "script") == expected.at("plan"), graph ? "was frozen" : "was not frozen");
  check(signature.batchable == expected.value("batchable", true), "another batchable");
  check(signature.preprocesses_itself == expected.value("preprocesses_itself", false), "another preprocesses_itself");
  if (expected.contains("classes")) {
    const auto& dimensions = signature.output.spec.dimensions;
    check(dimensions.size() == 2 && dimensions[1].size == expected["classes"], "another number of classes");
  }
  if (expected.contains("batch")) {
    check(signature.inputs[0].dimensions[0].size == expected["batch"], "another fixed batch size");
  }
  if (expected.contains("input_size")) {
    check(model.preset().values.input_height == expected["input_size"][0] &&
              model.preset().values.input_width == expected["input_size"][1],
          "another input size");
  }
  if (expected.contains("labels")) {
    check(model.labels().names == expected["labels"].get<std::vector<std::string>>(), "other labels");
  }
  if (expected.contains("children")) {
    std::vector<std::string> names;
    for (const OutputNode& child : signature.output.children) names.push_back(child.name);
    check(names == expected["children"].get<std::vector<std::string>>(), "another output tree");
  }
}

c10::IValue run(const Model& model, const json& wanted) {
  ExecutorOptions options;
  if (wanted.contains("images")) {
    std::vector<at::Tensor> images;
    for (const json& sizes : wanted["images"]) {
      images.push_back(
          example(sizes.get<std::vector<std::int64_t>>(), 1000 * static_cast<std::int64_t>(images.size())));
    }
    options.batch_size = static_cast<int>(images.size());
    return Executor(model, options).run_list(images);
  }
  std::vector<at::Tensor> images;
  const auto sizes = wanted.at("sizes").get<std::vector<std::int64_t>>();
  for (std::int64_t i = 0; i < wanted.at("batch").get<std::int64_t>(); ++i) images.push_back(example(sizes, 1000 * i));
  options.batch_size = static_cast<int>(images.size());
  const at::Tensor batch = at::stack(images);
  const at::Tensor before = batch.clone();
  c10::IValue result = Executor(model, options).run(batch);
  if (!at::equal(batch, before)) throw std::runtime_error("the model wrote into the caller's batch");
  return result;
}

}  // namespace

std::vector<json> read_cases(const std::string& folder) {
  std::ifstream file(folder + "/expected.json");
  if (!file) throw std::runtime_error(folder + "/expected.json is missing");
  return json::parse(file).at("cases").get<std::vector<json>>();
}

void PrintTo(const GoldenCase& value, std::ostream* out) { *out << value.name; }

GoldenCase golden_case(json expected) {
  std::string name = expected.at("file");
  name = name.substr(0, name.rfind('.'));
  std::replace_if(
      name.begin(), name.end(), [](char c) { return std::isalnum(static_cast<unsigned char>(c)) == 0; }, '_');
  return {std::move(expected), std::move(name)};
}

std::vector<GoldenCase> golden_cases(const std::string& folder) {
  std::vector<GoldenCase> cases;
  for (json& expected : read_cases(folder)) cases.push_back(golden_case(std::move(expected)));
  return cases;
}

Comparison compare(const std::string& folder, const json& expected, double tolerance, const LoadOptions& options) {
  Comparison comparison;
  comparison.file = expected.at("file");
  try {
    const auto start = std::chrono::steady_clock::now();
    const Model model = load_model(folder + "/" + comparison.file, options);
    comparison.load_seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    compare_facts(model, expected, comparison);
    for (const json& wanted : expected.at("runs")) {
      // Twice: nothing that a call leaves behind may change the next one.
      for (int repeat = 0; repeat < 2; ++repeat) {
        compare_outputs(run(model, wanted), wanted.at("outputs"), tolerance, comparison);
      }
    }
  } catch (const std::exception& error) {
    comparison.wrong.push_back(error.what());
  }
  return comparison;
}

}  // namespace ptrun::test
