#include "loader/int8_ranges.h"

#include <cmath>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "archive/byte_source.h"
#include "core/text.h"
#include "loader/model_folder.h"
#include "loader/model_impl.h"
#include "ptrun/error.h"

namespace ptrun {
namespace {

using Json = nlohmann::json;

constexpr std::uint64_t kMaxBytes = 256ULL << 20U;
constexpr std::size_t kMaxTensors = 1U << 20U;

std::string hex(std::uint64_t number) {
  char text[17];
  std::snprintf(text, sizeof(text), "%016llx", static_cast<unsigned long long>(number));
  return text;
}

[[noreturn]] void fail(const std::string& source, const std::string& problem) {
  throw Error(ErrorCode::bad_model, source, problem + "; make the file again with ptrun calibrate");
}

float number(const Json& value, const std::string& source) {
  if (!value.is_number()) fail(source, "holds a range that is no number");
  const float read = value.get<float>();
  if (!std::isfinite(read)) fail(source, "holds a range that is not finite");
  return read;
}

jit::TensorRange read_range(const Json& value, const std::string& source) {
  if (!value.is_object() || !value.contains("op") || !value["op"].is_string()) {
    fail(source, R"(holds a tensor that is not {"op": ..., "low": ..., "high": ...})");
  }
  jit::TensorRange range;
  range.made_by = value["op"].get<std::string>();
  range.low = 1;
  range.high = 0;
  if (value.contains("low") && value.contains("high")) {
    range.low = number(value["low"], source);
    range.high = number(value["high"], source);
    if (range.low > range.high) fail(source, "holds a range that ends before it begins");
  }
  if (value.contains("means")) {
    if (!value["means"].is_array()) fail(source, "holds means that are no list");
    for (const Json& mean : value["means"]) range.means.push_back(number(mean, source));
  }
  return range;
}

std::string command(const Model& model) { return "ptrun calibrate " + printable(model.path()) + " FOLDER"; }

}  // namespace

std::string int8_ranges_path(const Model& model) { return find_model_file(model.path()) + ".ptrun.int8.json"; }

std::string int8_ranges_json(const Int8Ranges& ranges) {
  // One tensor a line: people read it, and two files can be compared.
  std::string text = "{\"v\": 1, \"model\": \"" + hex(ranges.fingerprint) +
                     "\", \"ranges\": " + Json(ranges.method).dump() +
                     ", \"images\": " + std::to_string(ranges.images) + ",\n \"tensors\": [";
  const char* separator = "\n  ";
  for (const jit::TensorRange& range : ranges.tensors) {
    text += separator;
    text += "{\"op\": " + Json(range.made_by).dump();
    if (range.low <= range.high)
      text += ", \"low\": " + Json(range.low).dump() + ", \"high\": " + Json(range.high).dump();
    if (!range.means.empty()) text += ", \"means\": " + Json(range.means).dump();
    text += "}";
    separator = ",\n  ";
  }
  return text + "\n ]}\n";
}

Int8Ranges parse_int8_ranges(const std::string& text, const std::string& source) {
  const Json root = Json::parse(text, nullptr, false);
  if (!root.is_object()) fail(source, "is not a JSON object");
  if (root.value("v", Json()) != 1) {
    fail(source, "is of version " + printable(root.value("v", Json()).dump(), 40) + ", this version of ptrun reads 1");
  }
  const auto text_of = [&](const char* key) {
    const auto found = root.find(key);
    if (found == root.end() || !found->is_string()) fail(source, std::string("has no text \"") + key + "\"");
    return found->get<std::string>();
  };
  Int8Ranges ranges;
  const std::string model = text_of("model");
  if (model.size() != 16 || model.find_first_not_of("0123456789abcdef") != std::string::npos) {
    fail(source, "has \"model\" " + printable(model, 40) + ", expected 16 hexadecimal digits");
  }
  ranges.fingerprint = std::stoull(model, nullptr, 16);
  ranges.method = text_of("ranges");
  if (root.contains("images") && root["images"].is_number_unsigned()) ranges.images = root["images"].get<std::size_t>();
  const auto tensors = root.find("tensors");
  if (tensors == root.end() || !tensors->is_array()) fail(source, "has no list \"tensors\"");
  if (tensors->size() > kMaxTensors) fail(source, "lists " + std::to_string(tensors->size()) + " tensors");
  for (const Json& tensor : *tensors) ranges.tensors.push_back(read_range(tensor, source));
  return ranges;
}

std::shared_ptr<const Int8Ranges> read_int8_ranges(const Model& model) {
  const auto* graph = std::get_if<GraphModule>(&model.impl().module);
  if (graph == nullptr) {
    throw Error(ErrorCode::unsupported, model.path(),
                "is of the kind " + model.kind() +
                    " and no single graph, whose layers could run in int8; use --precision fp32");
  }
  const std::string path = int8_ranges_path(model);
  std::error_code unreadable;
  if (!std::filesystem::exists(path, unreadable)) {
    throw Error(ErrorCode::unsupported, model.path(),
                "has no ranges for int8, expected " + printable(path) + "; make them with: " + command(model));
  }
  const auto source = archive::open_file(path);
  if (source->size() > kMaxBytes) {
    throw Error(ErrorCode::limit_exceeded, path,
                "holds " + human_bytes(source->size()) + ", at most " + human_bytes(kMaxBytes) + " are read");
  }
  auto ranges = std::make_shared<Int8Ranges>(
      parse_int8_ranges(source->read_string(0, static_cast<std::size_t>(source->size())), path));
  const std::uint64_t found = jit::fingerprint(*graph->graph);
  if (ranges->fingerprint != found) {
    throw Error(ErrorCode::bad_model, path,
                "holds the ranges of another model (" + hex(ranges->fingerprint) + ", this one is " + hex(found) +
                    "); make them again with: " + command(model) + " --force");
  }
  return ranges;
}

}  // namespace ptrun
