#include "loader/model_folder.h"

#include <algorithm>
#include <array>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "archive/byte_source.h"
#include "core/text.h"
#include "loader/label_names.h"
#include "ptrun/error.h"

namespace ptrun {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

constexpr std::uint64_t kConfigBytes = 16ULL << 20U;
constexpr std::size_t kFolderNames = 100'000;

// Names that Hugging Face gives, in the order in which its own libraries look for them.
constexpr std::array<std::string_view, 4> kHubNames = {"model.safetensors", "model.safetensors.index.json",
                                                       "pytorch_model.bin", "pytorch_model.bin.index.json"};
constexpr std::array<std::string_view, 6> kModelEndings = {".pt", ".pth", ".safetensors", ".pt2", ".ckpt", ".bin"};
constexpr std::array<std::string_view, 7> kImageEndings = {".jpg", ".jpeg", ".png", ".webp", ".tif", ".tiff", ".gif"};

std::string lower(std::string text) {
  for (char& c : text) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  return text;
}

template <typename Endings>
bool ends_as(const std::string& name, const Endings& endings) {
  const std::string extension = lower(fs::path(name).extension().string());
  return std::find(endings.begin(), endings.end(), extension) != endings.end();
}

std::vector<std::string> names_in(const std::string& folder) {
  std::vector<std::string> names;
  std::error_code error;
  for (fs::directory_iterator at(folder, error), end; !error && at != end; at.increment(error)) {
    if (names.size() == kFolderNames) break;
    names.push_back(at->path().filename().string());
  }
  if (error)
    throw Error(ErrorCode::not_found, folder, "cannot be read: " + error.message() + "; check its permissions");
  std::sort(names.begin(), names.end());
  return names;
}

[[noreturn]] void refuse_folder(const std::string& folder, const std::vector<std::string>& names) {
  const auto has = [&](const char* name) { return std::find(names.begin(), names.end(), name) != names.end(); };
  const auto images =
      std::count_if(names.begin(), names.end(), [](const auto& name) { return ends_as(name, kImageEndings); });
  const auto refuse = [&](const std::string& problem) { throw Error(ErrorCode::unsupported, folder, problem); };
  if (has("saved_model.pb")) {
    refuse("is a TensorFlow SavedModel folder, expected a PyTorch model; export the PyTorch model it came from");
  }
  if (has("Manifest.json") && has("Data")) {
    refuse("is a Core ML package (.mlpackage), expected a PyTorch model; export the PyTorch model it came from");
  }
  if (images > 0) {
    refuse("is a folder with " + std::to_string(images) +
           " images, expected a model; the model comes first: ptrun predict MODEL SOURCE...");
  }
  std::vector<std::string> shown;
  for (const std::string& name : names) shown.push_back(printable(name, 60));
  throw Error(ErrorCode::unsupported, folder,
              "is a folder without a model" +
                  (shown.empty() ? std::string(", it is empty") : " (" + join_some(shown, 5) + ")") +
                  "; give the model file itself, or a folder with model.safetensors or pytorch_model.bin");
}

std::string read_text(const fs::path& path) {
  std::error_code error;
  if (!fs::is_regular_file(path, error)) return {};
  const auto source = archive::open_file(path.string());
  if (source->size() > kConfigBytes) {
    throw Error(ErrorCode::limit_exceeded, path.string(),
                "holds " + human_bytes(source->size()) + ", at most 16 MiB are read");
  }
  return source->read_string(0, static_cast<std::size_t>(source->size()));
}

json parse(std::string_view text, const std::string& source) {
  json root = json::parse(text, nullptr, false);
  if (!root.is_object())
    throw Error(ErrorCode::bad_model, source, "is not a JSON object; download it again or remove it");
  return root;
}

// The value of `key` as T where it has that type.
template <typename T>
std::optional<T> value_of(const json& object, const char* key) {
  const auto found = object.find(key);
  if (found == object.end()) return std::nullopt;
  const bool right = std::is_same_v<T, std::string> ? found->is_string()
                     : std::is_same_v<T, bool>      ? found->is_boolean()
                     : std::is_same_v<T, int>       ? found->is_number_integer()
                                                    : found->is_number();
  if (!right) return std::nullopt;
  return found->template get<T>();
}

std::optional<std::array<double, 3>> colours(const json& object, const char* key) {
  const auto found = object.find(key);
  if (found == object.end() || !found->is_array() || found->size() != 3) return std::nullopt;
  std::array<double, 3> values{};
  for (std::size_t i = 0; i < 3; ++i) {
    if (!(*found)[i].is_number()) return std::nullopt;
    values[i] = (*found)[i].get<double>();
  }
  return values;
}

[[noreturn]] void fail(const std::string& source, const std::string& problem) {
  throw Error(ErrorCode::bad_model, source, problem + "; correct it, or remove the file and give --input-size");
}

int side_of(const json& value, const char* key, const std::string& source) {
  constexpr std::int64_t kMaxSide = 16384;  // pixels
  if (!value.is_number_integer() || value.get<std::int64_t>() < 1 || value.get<std::int64_t>() > kMaxSide) {
    fail(source, std::string(key) + " holds " + printable(value.dump(), 40) + ", expected sizes of 1 to 16384 pixels");
  }
  return value.get<int>();
}

// Height and width of 224, {"height": 224, "width": 224} or {"shortest_edge": 224}.
struct ImageSize {
  int height = 0;
  int width = 0;
  bool shortest = false;
};
std::optional<ImageSize> size_in(const json& object, const char* key, const std::string& source) {
  const auto found = object.find(key);
  if (found == object.end() || found->is_null()) return std::nullopt;
  if (!found->is_object()) {
    const int side = side_of(*found, key, source);
    return ImageSize{side, side, true};
  }
  if (const auto edge = found->find("shortest_edge"); edge != found->end()) {
    const int side = side_of(*edge, key, source);
    return ImageSize{side, side, true};
  }
  const auto height = found->find("height");
  const auto width = found->find("width");
  if (height == found->end() || width == found->end()) return std::nullopt;
  return ImageSize{side_of(*height, key, source), side_of(*width, key, source), false};
}

// timm/data/config.py:resolve_data_config, with its defaults for what pretrained_cfg leaves out.
PresetLayer timm_preset(const json& cfg, const std::string& source) {
  PresetLayer layer;
  const auto set = [&](const char* field, const std::string& value) {
    try {
      set_preset_field(layer, field, value);
    } catch (const Error&) {
      return;  // "random" and other words of training say nothing about inference
    }
  };
  set("interpolation", value_of<std::string>(cfg, "interpolation").value_or("bicubic"));
  const auto size = cfg.find("input_size");
  if (size != cfg.end() && size->is_array() && size->size() == 3) {
    layer.input_height = side_of((*size)[1], "input_size", source);
    layer.input_width = side_of((*size)[2], "input_size", source);
  }
  layer.crop_pct = value_of<double>(cfg, "crop_pct").value_or(0.875);
  const std::string crop = value_of<std::string>(cfg, "crop_mode").value_or("center");
  layer.resize_mode = crop == "squash" ? ResizeMode::stretch : ResizeMode::shortest;
  layer.crop_mode = crop == "border" ? CropMode::border : CropMode::center;
  layer.mean = colours(cfg, "mean").value_or(std::array<double, 3>{0.485, 0.456, 0.406});
  layer.std = colours(cfg, "std").value_or(std::array<double, 3>{0.229, 0.224, 0.225});
  return layer;
}

bool is_hub_name(const std::string& name) {
  return std::find(kHubNames.begin(), kHubNames.end(), name) != kHubNames.end();
}

}  // namespace

std::string find_model_file(const std::string& path) {
  std::error_code error;
  if (!fs::is_directory(path, error)) return path;
  const std::vector<std::string> names = names_in(path);
  const auto inside = [&](std::string_view name) { return (fs::path(path) / name).string(); };
  for (const std::string_view name : kHubNames) {
    if (std::find(names.begin(), names.end(), name) != names.end()) return inside(name);
  }
  std::vector<std::string> models;
  for (const std::string& name : names) {
    if (ends_as(name, kModelEndings) && fs::is_regular_file(inside(name), error)) models.push_back(name);
  }
  if (models.size() == 1) return inside(models.front());
  if (models.empty()) refuse_folder(path, names);
  for (std::string& name : models) name = printable(name, 60);
  throw Error(ErrorCode::bad_model, path,
              "is a folder with " + std::to_string(models.size()) + " models (" + join_some(models, 5) +
                  "), expected one; give the file itself");
}

ModelFacts read_model_config(std::string_view text, const std::string& source) {
  const json root = parse(text, source);
  ModelFacts facts;
  const auto cfg = root.find("pretrained_cfg");
  // timm's; ptrun calls its variants by this prefix.
  const std::string architecture = value_of<std::string>(root, "architecture").value_or("");
  if (cfg != root.end() && !architecture.empty()) facts.architecture = "timm/" + architecture;
  if (cfg != root.end() && cfg->is_object()) facts.preset = timm_preset(*cfg, source);
  facts.preset.source = source;
  for (const char* key : {"label_names", "id2label"}) {
    const auto names = root.find(key);
    if (names == root.end() || !names->is_structured() || names->empty()) continue;
    std::string problem;
    facts.labels.names = label_names(*names, problem);
    facts.labels.source = source + ", " + key;
    if (problem.empty()) break;
  }
  // transformers writes names of its own making where nobody gave any.
  if (!facts.labels.names.empty() && facts.labels.names.front() == "LABEL_0") facts.labels = {};
  return facts;
}

// transformers/image_processing_utils.py: resize, centre crop, rescale, normalise, each only where "do_..." says so.
PresetLayer read_preprocessor_config(std::string_view text, const std::string& source) {
  const json root = parse(text, source);
  PresetLayer layer;
  layer.source = source;
  const auto does = [&](const char* what) { return value_of<bool>(root, what).value_or(true); };
  const auto size = size_in(root, "size", source);
  const auto crop = size_in(root, "crop_size", source);
  const bool crops = crop && value_of<bool>(root, "do_center_crop").value_or(false);
  // Photos as they are would all have sizes of their own: without a resize the file says nothing about the size.
  if (size && does("do_resize")) {
    const ImageSize& input = crops ? *crop : *size;
    layer.input_height = input.height;
    layer.input_width = input.width;
    layer.resize_mode = size->shortest ? ResizeMode::shortest : ResizeMode::stretch;
    if (crops && (crop->height > size->height || crop->width > size->width)) {
      fail(source, "crop_size is larger than size, which would pad photos with black");
    }
    const auto crop_pct = value_of<double>(root, "crop_pct");
    if (crops && size->shortest) {
      layer.resize_size = size->height;
    } else if (crops) {
      if (std::int64_t{crop->height} * size->width != std::int64_t{crop->width} * size->height) {
        fail(source, "crop_size is another part of the height than of the width of size, which ptrun does not compute");
      }
      layer.crop_pct = static_cast<double>(crop->height) / size->height;
    } else {
      layer.crop_pct = size->shortest && crop_pct ? *crop_pct : 1.0;
    }
  }
  // Pillow's numbers.
  constexpr std::array kFilters = {Interpolation::nearest, Interpolation::lanczos, Interpolation::bilinear,
                                   Interpolation::bicubic, Interpolation::box,     Interpolation::hamming};
  const int filter = value_of<int>(root, "resample").value_or(-1);
  if (filter >= 0 && static_cast<std::size_t>(filter) < kFilters.size()) {
    layer.interpolation = kFilters[static_cast<std::size_t>(filter)];
  }
  layer.rescale = does("do_rescale") ? value_of<double>(root, "rescale_factor").value_or(1.0 / 255.0) : 1.0;
  if (does("do_normalize")) {
    layer.mean = colours(root, "image_mean");
    layer.std = colours(root, "image_std");
  } else {
    layer.mean = {0, 0, 0};
    layer.std = {1, 1, 1};
  }
  return layer;
}

ModelFacts read_folder_config(const std::string& file) {
  const fs::path path(file);
  ModelFacts facts;
  if (!is_hub_name(path.filename().string())) return facts;
  const fs::path config = path.parent_path() / "config.json";
  if (const std::string text = read_text(config); !text.empty()) facts = read_model_config(text, config.string());
  const fs::path preprocessor = path.parent_path() / "preprocessor_config.json";
  if (!facts.preset.mean) {
    const std::string text = read_text(preprocessor);
    if (!text.empty()) facts.preset = read_preprocessor_config(text, preprocessor.string());
  }
  return facts;
}

}  // namespace ptrun
