#include "loader/sidecar.h"

#include <algorithm>
#include <charconv>
#include <nlohmann/json.hpp>

#include "core/text.h"
#include "ptrun/error.h"

namespace ptrun {
namespace {

using Json = nlohmann::json;

constexpr std::size_t kMaxBytes = 16U << 20U;
constexpr std::size_t kMaxLabels = 1'000'000;
constexpr int kMaxSide = 16384;  // pixels

[[noreturn]] void fail(const std::string& source, const std::string& problem) {
  throw Error(ErrorCode::bad_model, source, problem);
}

Json parse_object(std::string_view text, const std::string& source) {
  if (text.size() > kMaxBytes) {
    throw Error(ErrorCode::limit_exceeded, source, "holds " + human_bytes(text.size()) + ", at most 16 MiB are read");
  }
  // The depth is bounded before the parser, which recurses, gets to see it.
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
  if (value.size() > kMaxLabels) fail(source, "holds more than a million labels");
  if (value.is_array()) {
    for (const Json& name : value) {
      if (!name.is_string()) fail(source, "holds a label that is not text");
      labels.names.push_back(name.get<std::string>());
    }
  } else if (value.is_object()) {
    labels.names.resize(value.size());
    std::vector<bool> seen(value.size());
    for (const auto& [key, name] : value.items()) {
      std::size_t index = 0;
      const auto parsed = std::from_chars(key.data(), key.data() + key.size(), index);
      const bool whole = parsed.ec == std::errc() && parsed.ptr == key.data() + key.size();
      if (!whole || index >= value.size() || seen[index] || !name.is_string()) {
        fail(source, "label " + printable(key) + " is not one of the classes 0 to " + std::to_string(value.size()) +
                         " with a name, each once");
      }
      seen[index] = true;
      labels.names[index] = name.get<std::string>();
    }
  } else {
    fail(source, "labels are neither a list nor an object of names");
  }
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

int side(const Json& value, const std::string& source) {
  if (!value.is_number_integer() || value.get<std::int64_t>() < 1 || value.get<std::int64_t>() > kMaxSide) {
    fail(source, "imgsz is not a size in pixels, expected 1 to 16384");
  }
  return value.get<int>();
}

}  // namespace

ModelFacts read_ptrun_json(std::string_view text, const std::string& source) {
  const Json root = parse_object(text, source);
  ModelFacts facts;
  facts.preset.source = source;
  for (const auto& [key, value] : root.items()) {
    if (key == "labels") {
      facts.labels = read_names(value, source);
    } else if (key == "task" && value.is_string()) {
      facts.task = value.get<std::string>();
    } else if (key == "preset" && value.is_object()) {
      for (const auto& [field, setting] : value.items()) {
        try {
          set_preset_field(facts.preset, field, field_text(setting, field, source));
        } catch (const Error& error) {
          if (error.code() == ErrorCode::bad_model) throw;
          fail(source, error.what());
        }
      }
    } else {
      fail(source, "has the key " + printable(key) + ", expected task (text), labels and preset (objects)");
    }
  }
  return facts;
}

ModelFacts read_ultralytics_config(std::string_view text, const std::string& source) {
  const Json root = parse_object(text, source);
  ModelFacts facts;
  if (const auto names = root.find("names"); names != root.end()) facts.labels = read_names(*names, source);
  if (const auto task = root.find("task"); task != root.end() && task->is_string())
    facts.task = task->get<std::string>();
  PresetLayer& preset = facts.preset;
  preset.source = source;
  if (const auto size = root.find("imgsz"); size != root.end()) {
    const bool list = size->is_array() && size->size() == 2;
    preset.input_height = side(list ? (*size)[0] : *size, source);
    preset.input_width = side(list ? (*size)[1] : *size, source);
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
