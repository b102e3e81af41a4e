#include "loader/sidecar.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "archive/tensor_file.h"
#include "core/text.h"
#include "loader/label_names.h"
#include "ptrun/error.h"

namespace ptrun {
namespace {

using Json = nlohmann::json;

constexpr int kMaxSide = 16384;  // pixels
constexpr std::int64_t kMaxDimension = 1 << 24;
constexpr std::size_t kMaxInputs = 64;  // of native code, and dimensions of one

[[noreturn]] void fail(const std::string& source, const std::string& problem) {
  throw Error(ErrorCode::bad_model, source, problem);
}

Json parse_object(std::string_view text, const std::string& source) {
  if (text.size() > kMaxSidecarBytes) {
    throw Error(ErrorCode::limit_exceeded, source, "holds " + human_bytes(text.size()) + ", at most 16 MiB are read");
  }
  // Nothing that is read here is deep; text that is gets refused before a tree is made of it.
  int depth = 0;
  bool quoted = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (c == '\\') {
      ++i;
    } else if (c == '"') {
      quoted = !quoted;
    } else if (!quoted && (c == '{' || c == '[')) {
      if (++depth > 64) fail(source, "nests more than 64 deep, expected a flat JSON object");
    } else if (!quoted && (c == '}' || c == ']')) {
      --depth;
    }
  }
  Json root = Json::parse(text, nullptr, false);
  if (!root.is_object()) fail(source, "is not a JSON object, expected {\"labels\": ..., \"preset\": ...}");
  return root;
}

Labels read_names(const Json& value, const std::string& source) {
  Labels labels;
  labels.source = source;
  std::string problem;
  labels.names = label_names(value, problem);
  if (!problem.empty()) fail(source, problem);
  return labels;
}

// A value in the form that set_preset_field reads.
std::string field_text(const Json& value, const std::string& field, const std::string& source) {
  if (value.is_string()) return value.get<std::string>();
  if (value.is_number() || value.is_boolean()) return value.dump();
  if (value.is_array() && !value.empty() && value.size() <= 16) {
    std::string text;
    for (const Json& item : value) {
      if (!item.is_number()) break;
      text += (text.empty() ? "" : ",") + item.dump();
    }
    if (static_cast<std::size_t>(std::count(text.begin(), text.end(), ',')) + 1 == value.size()) return text;
  }
  fail(source, "preset field " + printable(field) + " is not text, a number or a list of numbers");
}

Dimension read_dimension(const Json& value, const std::string& source) {
  const auto is_size = [](const Json& size) {
    return size.is_number_integer() && size.get<std::int64_t>() >= 1 && size.get<std::int64_t>() <= kMaxDimension;
  };
  Dimension dimension;
  if (is_size(value)) {
    dimension.size = value.get<std::int64_t>();
  } else if (value.is_array() && value.size() == 2 && is_size(value[0]) && is_size(value[1]) && value[0] <= value[1]) {
    dimension.minimum = value[0].get<std::int64_t>();
    dimension.maximum = value[1].get<std::int64_t>();
  } else {
    fail(source, "native: a size of an input is neither a number from 1 nor a range of two, such as 224 or [1, 64]");
  }
  return dimension;
}

NativeFacts read_native(const Json& value, const std::string& source) {
  NativeFacts facts;
  const auto torch = value.find("torch");
  const auto inputs = value.find("inputs");
  if (torch == value.end() || !torch->is_string() || inputs == value.end() || !inputs->is_array() || inputs->empty() ||
      inputs->size() > kMaxInputs || value.size() != 2) {
    fail(source, R"(native is not {"torch": "2.15.0", "inputs": [{"shape": [...], "dtype": "float32"}]})");
  }
  facts.torch = torch->get<std::string>();
  for (const Json& input : *inputs) {
    const auto shape = input.is_object() ? input.find("shape") : input.end();
    if (!input.is_object() || shape == input.end() || !shape->is_array() || shape->empty() ||
        shape->size() > kMaxInputs) {
      fail(source, R"(native: an input has no shape, expected {"shape": [[1, 64], 3, 224, 224], "dtype": "float32"})");
    }
    TensorSpec spec;
    for (const Json& size : *shape) spec.dimensions.push_back(read_dimension(size, source));
    spec.dimensions[0].batch = true;
    const std::string dtype = input.value("dtype", Json("float32")).is_string() ? input.value("dtype", "float32") : "";
    spec.dtype = archive::dtype_named(dtype);
    if (spec.dtype == DType::unknown)
      fail(source, "native: the dtype " + printable(dtype) + " is not one of PyTorch's");
    facts.inputs.push_back(std::move(spec));
  }
  return facts;
}

// ultralytics' words for tasks; one that ptrun has no name for gives none.
std::string task_of(const std::string& word) {
  if (word == "pose") return "keypoints";
  if (word == "obb") return "detect";
  if (word == "semantic") return "segment";
  return word == "classify" || word == "detect" || word == "segment" ? word : std::string();
}

int side(const Json& value, const std::string& source) {
  if (!value.is_number_integer() || value.get<std::int64_t>() < 1 || value.get<std::int64_t>() > kMaxSide) {
    fail(source, "imgsz is not a size in pixels, expected 1 to 16384");
  }
  return value.get<int>();
}

std::array<std::int64_t, 2> keypoint_shape(const Json& value, const std::string& source) {
  const bool pair =
      value.is_array() && value.size() == 2 && value[0].is_number_integer() && value[1].is_number_integer();
  const std::int64_t points = pair ? value[0].get<std::int64_t>() : 0;
  const std::int64_t numbers = pair ? value[1].get<std::int64_t>() : 0;
  if (points < 1 || points > 10'000 || (numbers != 2 && numbers != 3)) {
    fail(source, "kpt_shape is not the number of keypoints and 2 or 3 numbers of each, such as [17, 3]");
  }
  return {points, numbers};
}

}  // namespace

ModelFacts read_ptrun_json(std::string_view text, const std::string& source) {
  const Json root = parse_object(text, source);
  ModelFacts facts;
  facts.preset.source = source;
  const auto set = [&](const std::string& field, const Json& setting) {
    try {
      set_preset_field(facts.preset, field, field_text(setting, field, source));
    } catch (const Error& error) {
      if (error.code() == ErrorCode::bad_model) throw;
      fail(source, error.what());
    }
  };
  const auto& fields = preset_field_names();
  for (const auto& [key, value] : root.items()) {
    if (key == "v") {
      if (value != 1) fail(source, "is of version " + printable(value.dump(), 40) + ", this version of ptrun reads 1");
    } else if (key == "labels") {
      facts.labels = read_names(value, source);
    } else if (key == "task" && value.is_string()) {
      facts.task = value.get<std::string>();
    } else if (key == "architecture" && value.is_string()) {
      facts.architecture = value.get<std::string>();
    } else if (key == "native" && value.is_object()) {
      facts.native = read_native(value, source);
    } else if (key == "preset" && value.is_string()) {
      facts.preset_name = value.get<std::string>();
    } else if (key == "preset" && value.is_object()) {
      for (const auto& [field, setting] : value.items()) set(field, setting);
    } else if (std::find(fields.begin(), fields.end(), key) != fields.end()) {
      set(key, value);
    } else {
      std::vector<std::string> known{"task", "labels", "preset", "architecture", "native", "v"};
      known.insert(known.end(), fields.begin(), fields.end());
      const std::string near = nearest_match(key, known);
      fail(source, "has the key " + printable(key) +
                       ", expected task or architecture (text), labels (list or object), " +
                       "preset (a name or an object), native (an object) or a preset's field" +
                       (near.empty() ? std::string() : "; did you mean " + near + "?"));
    }
  }
  return facts;
}

ModelFacts read_ultralytics_config(std::string_view text, const std::string& source) {
  const Json root = parse_object(text, source);
  const auto names = root.find("names");
  const auto task = root.find("task");
  const auto size = root.find("imgsz");
  const auto shape = root.find("shape");  // of the yolov5 repository: [1, 3, height, width]
  if ((names == root.end() && task == root.end()) || (size == root.end() && shape == root.end())) {
    fail(source, "is not what ultralytics exports, expected names or task beside imgsz or shape");
  }
  ModelFacts facts;
  if (names != root.end()) facts.labels = read_names(*names, source);
  if (task != root.end() && task->is_string()) facts.task = task_of(task->get<std::string>());
  facts.rotated_boxes = task != root.end() && *task == "obb";
  // The yolov5 repository exports detectors without a word.
  facts.anchor_rows = task == root.end() && shape != root.end();
  if (facts.anchor_rows) facts.task = "detect";
  const auto points = root.find("kpt_shape");
  if (points != root.end()) facts.keypoint_shape = keypoint_shape(*points, source);
  PresetLayer& preset = facts.preset;
  preset.source = source;
  if (size != root.end()) {
    const bool list = size->is_array() && size->size() == 2;
    preset.input_height = side(list ? (*size)[0] : *size, source);
    preset.input_width = side(list ? (*size)[1] : *size, source);
  } else if (shape->is_array() && shape->size() == 4) {
    preset.input_height = side((*shape)[2], source);
    preset.input_width = side((*shape)[3], source);
  }
  preset.mean = {0.0, 0.0, 0.0};
  preset.std = {1.0, 1.0, 1.0};
  preset.interpolation = Interpolation::bilinear;
  if (facts.task == "classify") {
    preset.resize_mode = ResizeMode::shortest;
    preset.crop_pct = 1.0;
  } else {
    preset.resize_mode = ResizeMode::letterbox;
    preset.resize_backend = ResizeBackend::opencv;
    preset.pad_value = 114;
  }
  return facts;
}

}  // namespace ptrun
