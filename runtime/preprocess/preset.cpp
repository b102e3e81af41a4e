// Resolving, reading and writing presets: one visitor over the fields, one table of names per enumeration.
#include "ptrun/preset.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>
#include <string>
#include <system_error>
#include <utility>

#include "core/text.h"
#include "ptrun/error.h"

namespace ptrun {
namespace {

constexpr int kMaxSide = 16384;

template <typename Enum>
struct EnumName {
  Enum value;
  std::string_view name;
};

constexpr std::array<EnumName<Interpolation>, 6> kInterpolations = {{{Interpolation::nearest, "nearest"},
                                                                     {Interpolation::box, "box"},
                                                                     {Interpolation::bilinear, "bilinear"},
                                                                     {Interpolation::hamming, "hamming"},
                                                                     {Interpolation::bicubic, "bicubic"},
                                                                     {Interpolation::lanczos, "lanczos"}}};
constexpr std::array<EnumName<ResizeMode>, 3> kResizeModes = {
    {{ResizeMode::shortest, "shortest"}, {ResizeMode::stretch, "stretch"}, {ResizeMode::letterbox, "letterbox"}}};
constexpr std::array<EnumName<CropMode>, 3> kCropModes = {
    {{CropMode::center, "center"}, {CropMode::border, "border"}, {CropMode::none, "none"}}};
constexpr std::array<EnumName<ChannelOrder>, 2> kChannelOrders = {
    {{ChannelOrder::rgb, "rgb"}, {ChannelOrder::bgr, "bgr"}}};
constexpr std::array<EnumName<ResizeBackend>, 3> kResizeBackends = {
    {{ResizeBackend::pillow, "pillow"}, {ResizeBackend::tensor, "tensor"}, {ResizeBackend::opencv, "opencv"}}};
constexpr std::array<EnumName<ExifRule>, 2> kExifRules = {{{ExifRule::apply, "apply"}, {ExifRule::ignore, "ignore"}}};
constexpr std::array<EnumName<ColorRule>, 1> kColorRules = {{{ColorRule::rgb, "rgb"}}};
constexpr std::array<EnumName<bool>, 2> kBooleans = {{{true, "true"}, {false, "false"}}};

constexpr const auto& names_of(Interpolation) { return kInterpolations; }
constexpr const auto& names_of(ResizeMode) { return kResizeModes; }
constexpr const auto& names_of(CropMode) { return kCropModes; }
constexpr const auto& names_of(ChannelOrder) { return kChannelOrders; }
constexpr const auto& names_of(ResizeBackend) { return kResizeBackends; }
constexpr const auto& names_of(ExifRule) { return kExifRules; }
constexpr const auto& names_of(ColorRule) { return kColorRules; }
constexpr const auto& names_of(bool) { return kBooleans; }

// Calls visit(name, member of Preset, member of PresetLayer) for every field, in the order in which tools show them.
template <typename Visit>
void visit_fields(Visit&& visit) {
  visit("input_height", &Preset::input_height, &PresetLayer::input_height);
  visit("input_width", &Preset::input_width, &PresetLayer::input_width);
  visit("resize_size", &Preset::resize_size, &PresetLayer::resize_size);
  visit("crop_pct", &Preset::crop_pct, &PresetLayer::crop_pct);
  visit("interpolation", &Preset::interpolation, &PresetLayer::interpolation);
  visit("resize_mode", &Preset::resize_mode, &PresetLayer::resize_mode);
  visit("crop_mode", &Preset::crop_mode, &PresetLayer::crop_mode);
  visit("mean", &Preset::mean, &PresetLayer::mean);
  visit("std", &Preset::std, &PresetLayer::std);
  visit("rescale", &Preset::rescale, &PresetLayer::rescale);
  visit("channel_order", &Preset::channel_order, &PresetLayer::channel_order);
  visit("pad_value", &Preset::pad_value, &PresetLayer::pad_value);
  visit("antialias", &Preset::antialias, &PresetLayer::antialias);
  visit("resize_backend", &Preset::resize_backend, &PresetLayer::resize_backend);
  visit("exif", &Preset::exif, &PresetLayer::exif);
  visit("color", &Preset::color, &PresetLayer::color);
}

// Values as text. Doubles are the shortest text that reads back to the same bits.
std::string text_of(int value) { return std::to_string(value); }

std::string text_of(double value) {
  std::array<char, 40> text{};
  const auto result = std::to_chars(text.data(), text.data() + text.size(), value);
  return {text.data(), result.ptr};
}

std::string text_of(const std::array<double, 3>& value) {
  return text_of(value[0]) + "," + text_of(value[1]) + "," + text_of(value[2]);
}

template <typename Enum>
std::string text_of(Enum value) {
  for (const auto& row : names_of(value))
    if (row.value == value) return std::string(row.name);
  return "?";
}

template <typename Table>
std::string choices(const Table& table) {
  std::vector<std::string> names;
  for (const auto& row : table) names.emplace_back(row.name);
  return join_some(names);
}

[[noreturn]] void refuse(std::string_view field, std::string_view value, const std::string& expected) {
  throw Error(ErrorCode::invalid_argument, std::string(field),
              "\"" + printable(value) + "\" was found, expected " + expected);
}

// Text as values. Every parse() leaves `out` alone and returns false when the text is no such value.
bool parse(std::string_view text, int& out) {
  const auto result = std::from_chars(text.data(), text.data() + text.size(), out);
  return result.ec == std::errc() && result.ptr == text.data() + text.size();
}

bool parse_number(std::string_view text, double& out) {
  const auto result = std::from_chars(text.data(), text.data() + text.size(), out);
  return result.ec == std::errc() && result.ptr == text.data() + text.size() && std::isfinite(out);
}

// A number or a fraction such as 1/255.
bool parse(std::string_view text, double& out) {
  const std::size_t slash = text.find('/');
  if (slash == std::string_view::npos) return parse_number(text, out);
  double top = 0;
  double bottom = 0;
  if (!parse_number(text.substr(0, slash), top) || !parse_number(text.substr(slash + 1), bottom) || bottom == 0)
    return false;
  out = top / bottom;
  return true;
}

std::vector<std::string_view> split(std::string_view text, char separator) {
  std::vector<std::string_view> parts;
  while (true) {
    const std::size_t end = text.find(separator);
    std::string_view part = text.substr(0, end);
    while (!part.empty() && part.front() == ' ') part.remove_prefix(1);
    while (!part.empty() && part.back() == ' ') part.remove_suffix(1);
    parts.push_back(part);
    if (end == std::string_view::npos) return parts;
    text.remove_prefix(end + 1);
  }
}

bool parse(std::string_view text, std::array<double, 3>& out) {
  const auto parts = split(text, ',');
  if (parts.size() != 1 && parts.size() != 3) return false;
  std::array<double, 3> value{};
  for (std::size_t c = 0; c < 3; ++c)
    if (!parse(parts[parts.size() == 1 ? 0 : c], value.at(c))) return false;
  out = value;
  return true;
}

template <typename Enum>
bool parse(std::string_view text, Enum& out) {
  for (const auto& row : names_of(Enum{}))
    if (row.name == text) {
      out = row.value;
      return true;
    }
  return false;
}

// What a field accepts, in words; empty when `value` is in its range.
std::string out_of_range(std::string_view field, int value) {
  if (field == "resize_size")
    return value >= 0 && value <= kMaxSide ? ""
                                           : "1 to " + std::to_string(kMaxSide) + " pixels, or auto (from crop_pct)";
  if (field == "pad_value") return value >= -1 && value <= 255 ? "" : "0 to 255, or mean";
  return value >= 1 && value <= kMaxSide ? "" : "1 to " + std::to_string(kMaxSide) + " pixels";
}

std::string out_of_range(std::string_view field, double value) {
  if (field == "crop_pct") return value > 0 && value <= 1 ? "" : "more than 0 and at most 1";
  return std::isfinite(value) && value > 0 && static_cast<float>(value) > 0 ? "" : "a number above 0, such as 1/255";
}

std::string out_of_range(std::string_view field, const std::array<double, 3>& value) {
  constexpr double kLargest = 1e6;
  for (const double channel : value) {
    if (!(std::fabs(channel) <= kLargest)) return "numbers of at most 1000000";
    if (field == "std" && !(channel > 0 && static_cast<float>(channel) > 0)) return "numbers above 0";
  }
  return "";
}

template <typename Enum>
std::string out_of_range(std::string_view, Enum value) {
  return text_of(value) == "?" ? choices(names_of(value)) : "";
}

std::string expected_text(std::string_view field, int) {
  if (field == "resize_size") return "a whole number of pixels, or auto (from crop_pct)";
  return field == "pad_value" ? "a whole number of 0 to 255, or mean" : "a whole number";
}
std::string expected_text(std::string_view, double) { return "a number"; }
std::string expected_text(std::string_view, const std::array<double, 3>&) {
  return "one number, or three as 0.485,0.456,0.406";
}
template <typename Enum>
std::string expected_text(std::string_view, Enum value) {
  return "one of " + choices(names_of(value));
}

// Values of a field that text calls by a name; their numbers mean nothing to a user and are refused.
struct NamedValue {
  std::string_view field;
  std::string_view name;
  int value;
};
constexpr std::array<NamedValue, 2> kNamedValues = {{{"pad_value", "mean", -1}, {"resize_size", "auto", 0}}};

template <typename T>
T read_field(std::string_view field, std::string_view text) {
  T value{};
  if (!parse(text, value)) refuse(field, text, expected_text(field, value));
  const std::string range = out_of_range(field, value);
  if (!range.empty()) refuse(field, text, range);
  return value;
}
template <>
int read_field(std::string_view field, std::string_view text) {
  int value = 0;
  for (const NamedValue& named : kNamedValues) {
    if (named.field != field) continue;
    if (text == named.name) return named.value;
    if (parse(text, value) && value == named.value) refuse(field, text, out_of_range(field, -2));
  }
  if (!parse(text, value)) refuse(field, text, expected_text(field, value));
  const std::string range = out_of_range(field, value);
  if (!range.empty()) refuse(field, text, range);
  return value;
}
template <>
std::array<double, 3> read_field(std::string_view field, std::string_view text) {
  std::array<double, 3> value{};
  if (!parse(text, value)) refuse(field, text, expected_text(field, value));
  const std::string range = out_of_range(field, value);
  if (!range.empty()) refuse(field, text, range);
  return value;
}

// "224", "224x320" (height x width), "3,224,224".
void read_input_size(PresetLayer& layer, std::string_view text) {
  constexpr const char* kExpected = "224, 224x320 (height x width) or 3,224,224";
  auto parts = split(text, text.find(',') != std::string_view::npos ? ',' : 'x');
  if (parts.size() == 3) {
    if (parts[0] != "3") refuse("input_size", text, "3 channels first, as 3,224,224");
    parts.erase(parts.begin());
  }
  int height = 0;
  int width = 0;
  if (parts.size() > 2 || !parse(parts.front(), height) || !parse(parts.back(), width))
    refuse("input_size", text, kExpected);
  for (const int side : {height, width}) {
    const std::string range = out_of_range("input_height", side);
    if (!range.empty()) refuse("input_size", text, range);
  }
  layer.input_height = height;
  layer.input_width = width;
}

[[noreturn]] void refuse_field(std::string_view field) {
  std::vector<std::string> names;
  for (const std::string_view name : preset_field_names()) names.emplace_back(name);
  const std::string near = nearest_match(field, names);
  throw Error(ErrorCode::invalid_argument, printable(field),
              "this is no preset field" + (near.empty() ? "" : ", did you mean " + near + "?") +
                  (near.empty() ? ", expected one of " + join_some(names, names.size()) : ""));
}

bool is_set(const std::vector<PresetLayer>& layers, std::size_t end, std::optional<double> PresetLayer::*member) {
  for (std::size_t i = 0; i < end; ++i)
    if ((layers[i].*member).has_value()) return true;
  return false;
}

// Shorter side of the input that the layers from `begin` on agree to.
int input_side(const std::vector<PresetLayer>& layers, std::size_t begin) {
  const auto first = [&](auto member, int value) {
    for (std::size_t i = begin; i < layers.size(); ++i)
      if (layers[i].*member) return *(layers[i].*member);
    return value;
  };
  const Preset defaults;
  return std::min(first(&PresetLayer::input_height, defaults.input_height),
                  first(&PresetLayer::input_width, defaults.input_width));
}

// A resize_size was meant for the input size at or below its layer; for another one it keeps the same margin.
void scale_resize_size(const std::vector<PresetLayer>& layers, ResolvedPreset& out) {
  const PresetOrigin& origin = out.origins.find("resize_size")->second;
  for (std::size_t i = 0; i < layers.size() && out.values.resize_size > 0; ++i) {
    if (!layers[i].resize_size || layers[i].source != origin.source) continue;
    const int meant = input_side(layers, i);
    const int used = input_side(layers, 0);
    if (meant == used) return;
    out.values.resize_size =
        std::max(1, static_cast<int>(static_cast<std::int64_t>(out.values.resize_size) * used / meant));
    out.origins["resize_size"].source = origin.source + ", scaled to input_size";
    return;
  }
}

}  // namespace

ResolvedPreset resolve_preset(const std::vector<PresetLayer>& layers) {
  ResolvedPreset out;
  visit_fields([&](std::string_view name, auto preset_member, auto layer_member) {
    PresetOrigin origin{"ImageNet default", true};
    for (std::size_t i = 0; i < layers.size(); ++i) {
      const auto& value = layers[i].*layer_member;
      if (!value) continue;
      const std::string range = out_of_range(name, *value);
      if (!range.empty())
        throw Error(ErrorCode::invalid_argument, layers[i].source.empty() ? std::string(name) : layers[i].source,
                    std::string(name) + " is " + text_of(*value) + ", expected " + range);
      // A size in pixels below a layer with its own crop_pct was meant for another one.
      if (name == "resize_size" && is_set(layers, i, &PresetLayer::crop_pct)) break;
      out.values.*preset_member = *value;
      origin = {layers[i].source, layers[i].assumed};
      break;
    }
    out.origins.emplace(name, std::move(origin));
  });
  // What an unset field means depends on the mode: only torchvision's and timm's shortest side leaves a margin for
  // the crop, and timm fills borders with the mean.
  const auto set_default = [&](std::string_view name, auto member, auto value, const char* source) {
    PresetOrigin& origin = out.origins.find(name)->second;
    if (origin.source != "ImageNet default" || !origin.assumed) return;
    out.values.*member = value;
    origin = {source, false};
  };
  if (out.values.resize_mode != ResizeMode::shortest)
    set_default("crop_pct", &Preset::crop_pct, 1.0, "default of this resize_mode");
  else if (out.values.crop_mode == CropMode::none)
    set_default("crop_pct", &Preset::crop_pct, 1.0, "default of this crop_mode");
  if (out.values.resize_mode == ResizeMode::shortest && out.values.crop_mode == CropMode::border)
    set_default("pad_value", &Preset::pad_value, -1, "default of this crop_mode");
  scale_resize_size(layers, out);
  out.origins["input_size"] = out.origins["input_height"];
  return out;
}

void set_preset_field(PresetLayer& layer, std::string_view field, std::string_view value) {
  if (field == "input_size") return read_input_size(layer, value);
  bool found = false;
  visit_fields([&](std::string_view name, auto preset_member, auto layer_member) {
    if (name != field) return;
    found = true;
    using Value = std::decay_t<decltype(std::declval<Preset>().*preset_member)>;
    layer.*layer_member = read_field<Value>(field, value);
  });
  if (!found) refuse_field(field);
}

std::string preset_field_text(const Preset& preset, std::string_view field) {
  if (field == "input_size") return text_of(preset.input_height) + "x" + text_of(preset.input_width);
  if (field == "pad_value" && preset.pad_value < 0) return "mean";
  if (field == "resize_size" && preset.resize_size == 0) return "auto";
  std::string text;
  visit_fields([&](std::string_view name, auto preset_member, auto) {
    if (name == field) text = text_of(preset.*preset_member);
  });
  if (text.empty()) refuse_field(field);
  return text;
}

const std::vector<std::string_view>& preset_field_names() {
  static const std::vector<std::string_view> kNames = [] {
    std::vector<std::string_view> names = {"input_size"};
    visit_fields([&](std::string_view name, auto, auto) {
      if (name != "input_height" && name != "input_width") names.push_back(name);
    });
    return names;
  }();
  return kNames;
}

}  // namespace ptrun
