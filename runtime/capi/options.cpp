#include "capi/options.h"

#include <algorithm>

#include "capi/handles.h"

namespace ptrun::capi {
namespace {

// Numbers of the C interface are those of the C++ enumerations; what is added comes last in both.
static_assert(static_cast<int>(Precision::int8) == PTRUN_INT8);
static_assert(static_cast<int>(Activation::none) == PTRUN_NO_ACTIVATION);
static_assert(static_cast<int>(ImageView::Format::gray) == PTRUN_GRAY);
static_assert(static_cast<int>(LogLevel::error) == PTRUN_LOG_ERROR);

// No version of any struct comes near; a size that was never set does.
constexpr std::size_t kLargestStruct = 4096;

struct CancelHandle : Handle {
  static constexpr HandleKind kKind = HandleKind::cancel;
  CancelHandle() : Handle(kKind) {}
  const Cancellation cancellation;
};

std::string text(const char* given) { return given == nullptr ? std::string() : std::string(given); }

LogCallback log_callback(ptrun_log_callback log, void* user) {
  if (log == nullptr) return {};
  return [log, user](LogLevel level, const std::string& message) {
    log(user, static_cast<std::int32_t>(level), message.c_str());
  };
}

template <typename Enum>
Enum enumerator(const char* name, std::int32_t value, Enum last) {
  if (value >= 0 && value <= static_cast<std::int32_t>(last)) return static_cast<Enum>(value);
  refuse(name, std::to_string(value) + " was given, expected 0 to " + std::to_string(static_cast<std::int32_t>(last)));
}

std::vector<std::string> texts(const char* name, const char* const* items, std::size_t count) {
  constexpr std::size_t kMostTexts = 1'000'000;
  if (count == 0) return {};
  require(items, name);
  if (count > kMostTexts) refuse(name, std::to_string(count) + " texts were given, expected a million at most");
  std::vector<std::string> result;
  result.reserve(count);
  for (std::size_t i = 0; i < count; ++i) {
    require(items[i], name);
    result.emplace_back(items[i]);
  }
  return result;
}

PresetLayer preset_layer(const ptrun_load_options& options) {
  PresetLayer layer;
  const std::vector<std::string> fields = texts("preset_fields", options.preset_fields, options.preset_field_count);
  if (fields.size() % 2 != 0) {
    refuse("preset_field_count", std::to_string(fields.size()) + " texts were given, expected a value for each name");
  }
  for (std::size_t i = 0; i < fields.size(); i += 2) set_preset_field(layer, fields[i], fields[i + 1]);
  if (!fields.empty()) layer.source = "options";
  return layer;
}

}  // namespace

void check_size(const char* name, std::size_t size, std::size_t first) {
  if (size >= first && size <= kLargestStruct) return;
  refuse(std::string(name) + "::size", std::to_string(size) + " was given, expected at least " + std::to_string(first) +
                                           "; call the struct's _init function, or set size to sizeof before the call");
}

void check_rest(const char* name, const void* given, std::size_t known, std::size_t size) {
  if (size <= known) return;
  const auto* bytes = static_cast<const unsigned char*>(given);
  if (std::all_of(bytes + known, bytes + size, [](unsigned char byte) { return byte == 0; })) return;
  refuse(name, "uses a field that this libptrun does not know; install a newer one, or leave the field out");
}

ptrun_load_options default_load_options() {
  const LoadOptions defaults;
  ptrun_load_options options{};
  options.size = sizeof(options);
  options.constant_memory_limit = defaults.constant_memory_limit;
  return options;
}

ptrun_predict_options default_predict_options() {
  const PredictOptions defaults;
  ptrun_predict_options options{};
  options.size = sizeof(options);
  options.topk = defaults.topk;
  options.confidence = defaults.confidence;
  options.iou = defaults.iou;
  options.max_detections = defaults.max_detections;
  options.max_image_pixels = defaults.max_image_pixels;
  options.max_image_bytes = defaults.max_image_bytes;
  options.fast_decode = defaults.fast_decode ? 1 : 0;
  return options;
}

LoadOptions load_options(const ptrun_load_options* given) {
  LoadOptions options;
  if (given == nullptr) return options;
  const ptrun_load_options read = read_sized("ptrun_load_options", *given, default_load_options());
  options.architecture = text(read.architecture);
  options.task = text(read.task);
  options.labels_file = text(read.labels_file);
  options.preset_name = text(read.preset_name);
  options.preset = preset_layer(read);
  options.labels = texts("labels", read.labels, read.label_count);
  options.constant_memory_limit = read.constant_memory_limit;
  options.trust = read.trust != 0;
  options.trust_native_code = read.trust_native_code != 0;
  options.log = log_callback(read.log, read.log_user);
  if (read.progress != nullptr) {
    options.progress = [progress = read.progress, user = read.progress_user](const LoadProgress& at) {
      progress(user, at.bytes_read, at.bytes_total);
    };
  }
  if (read.cancel != nullptr) options.cancellation = cancellation(read.cancel);
  return options;
}

PredictOptions predict_options(const ptrun_predict_options* given) {
  PredictOptions options;
  if (given == nullptr) return options;
  const ptrun_predict_options read = read_sized("ptrun_predict_options", *given, default_predict_options());
  if (read.device != nullptr) options.device = read.device;
  options.precision = enumerator("precision", read.precision, Precision::int8);
  options.batch_size = read.batch_size;
  options.workers = read.workers;
  options.threads_per_worker = read.threads_per_worker;
  options.expected_images = static_cast<std::size_t>(read.expected_images);
  options.topk = read.topk;
  options.activation = enumerator("activation", read.activation, Activation::none);
  options.confidence = read.confidence;
  options.iou = read.iou;
  options.max_detections = read.max_detections;
  options.max_image_pixels = read.max_image_pixels;
  options.max_image_bytes = read.max_image_bytes;
  options.fast_decode = read.fast_decode != 0;
  options.log = log_callback(read.log, read.log_user);
  return options;
}

Input input(const ptrun_input& given) {
  const ptrun_input read = read_sized("ptrun_input", given, ptrun_input{});
  Input made;
  made.path = text(read.path);
  made.name = text(read.name);
  if (read.path != nullptr && made.path.empty()) refuse("path", "is empty, expected the name of a file");
  if (read.bytes != nullptr) {
    made.bytes = std::make_shared<const std::string>(static_cast<const char*>(read.bytes), read.byte_count);
  }
  if (read.pixels != nullptr) {
    made.pixels.data = read.pixels;
    made.pixels.width = read.width;
    made.pixels.height = read.height;
    made.pixels.format = enumerator("format", read.format, ImageView::Format::gray);
    made.pixels.stride = read.stride;
  }
  const int sources =
      (read.path != nullptr ? 1 : 0) + (read.bytes != nullptr ? 1 : 0) + (read.pixels != nullptr ? 1 : 0);
  if (sources != 1) {
    refuse("ptrun_input", std::to_string(sources) + " of path, bytes and pixels were given, expected one");
  }
  return made;
}

Cancellation cancellation(const ptrun_cancel* cancel) {
  if (cancel == nullptr) return {};
  return find<CancelHandle>(cancel)->cancellation;
}

}  // namespace ptrun::capi

using namespace ptrun::capi;

ptrun_status ptrun_load_options_init(ptrun_load_options* options, size_t size) {
  return guarded([&] { write_sized("ptrun_load_options", options, size, default_load_options()); });
}

ptrun_status ptrun_predict_options_init(ptrun_predict_options* options, size_t size) {
  return guarded([&] { write_sized("ptrun_predict_options", options, size, default_predict_options()); });
}

ptrun_status ptrun_input_init(ptrun_input* input, size_t size) {
  return guarded([&] { write_sized("ptrun_input", input, size, ptrun_input{}); });
}

ptrun_status ptrun_cancel_create(ptrun_cancel** out) {
  return guarded([&] {
    require(out, "out");
    *out = static_cast<ptrun_cancel*>(add_handle(std::make_shared<CancelHandle>()));
  });
}

ptrun_status ptrun_cancel_request(ptrun_cancel* cancel) {
  return guarded([&] { find<CancelHandle>(cancel)->cancellation.cancel(); });
}

ptrun_status ptrun_cancel_free(ptrun_cancel* cancel) {
  return guarded([&] { take<CancelHandle>(cancel); });
}
