#include "predict_options.h"

#include <algorithm>

#include "ptrun/error.h"
#include "ptrun/text.h"

namespace ptrun::tool {
namespace {

struct FieldHelp {
  const char* field;
  const char* names;
  const char* value;
  const char* help;
  bool list_value;
};

// Names and aliases: timm's inference.py first, then ultralytics'.
constexpr FieldHelp kFields[] = {
    {"input_size", "input-size,img-size,imgsz", "224|224x320|3,224,224", "Pixels of the model's input, height x width",
     true},
    {"resize_size", "resize-size", "N|auto", "Short side before the crop, pixels (auto: from crop-pct)", false},
    {"crop_pct", "crop-pct", "0.875", "Share of the resized image that the crop keeps", false},
    {"interpolation", "interpolation", "NAME", "nearest, box, bilinear, hamming, bicubic or lanczos", false},
    {"resize_mode", "resize-mode", "NAME", "shortest, stretch or letterbox", false},
    {"crop_mode", "crop-mode", "NAME", "center, border or none", false},
    {"mean", "mean", "0.485,0.456,0.406", "Mean of each channel, or one for all", true},
    {"std", "std", "0.229,0.224,0.225", "Standard deviation of each channel, or one for all", true},
    {"rescale", "rescale", "NUMBER", "What a byte 0..255 is multiplied by before mean and std (1/255)", false},
    {"channel_order", "channel-order", "rgb|bgr", "Order of the model's channels", false},
    {"pad_value", "pad-value", "0..255|mean", "Colour around a letterboxed image", false},
    {"antialias", "antialias", "true|false", "Average over all pixels when an image shrinks; pillow always does",
     false},
    {"resize_backend", "resize-backend", "NAME", "Whose resize to follow: pillow or opencv", false},
    {"color", "color", "rgb", "Colour rule: Pillow's convert(\"RGB\")", false},
    {"exif", "exif", "apply|ignore", "EXIF orientation; torchvision and timm ignore it", false},
};

Option field_option(std::string_view field) {
  for (const FieldHelp& row : kFields) {
    if (row.field == field) return {row.names, row.value, row.help, row.list_value};
  }
  std::string name(field);
  std::replace(name.begin(), name.end(), '_', '-');
  return {name, "VALUE", "Preset field " + std::string(field), false};
}

std::string field_option_name(std::string_view field) {
  std::string name(field);
  std::replace(name.begin(), name.end(), '_', '-');
  return name;
}

OptionGroup preset_group() {
  OptionGroup group{"Preprocessing",
                    {{"preset", "NAME", "All of these at once from published weights, see: ptrun models", false}}};
  for (const std::string_view field : preset_field_names()) group.options.push_back(field_option(field));
  return group;
}

OptionGroup model_group() {
  return {"Model",
          {{"labels,class-map", "FILE", "Names of the classes: one a line, or JSON"},
           {"task", "NAME", "What the output is read as: auto, classify, tensors, ... (auto)"},
           {"arch", "NAME", "Architecture of a weights file, see: ptrun models"},
           {"trust", "", "Run a TorchScript or torch.export file with any operator; only for files you wrote"},
           {"trust-native-code", "", "Run an AOTInductor package, native code; only for packages you compiled"},
           {"op-library", "FILE", "Library with operators that a TorchScript file needs; its code runs; repeatable"}}};
}

OptionGroup detection_group() {
  return {"Detection",
          {{"conf", "0.25", "Drop detections below this confidence"},
           {"iou", "0.7", "Overlap at which the weaker of two detections is dropped"},
           {"max-det", "N", "Detections of an image at most (300)"}}};
}

// What a model runs on, and how.
std::vector<Option> running_options() {
  return {
      {"device", "NAME", "auto, cpu, cuda, cuda:N or N (auto)"},
      {"precision", "NAME",
       "fp32; bf16; int8, see: ptrun calibrate; auto: bf16 where the processor has it and it agrees with fp32 (fp32)"},
      {"b,batch-size", "N|auto", "Images of a model call (auto)"},
      {"j,workers", "N|auto", "Threads that read, decode and run the model (auto)"},
      {"threads", "N|auto", "Threads of one model call (auto)"}};
}

std::vector<Option> joined(std::vector<Option> options, const std::vector<Option>& more) {
  options.insert(options.end(), more.begin(), more.end());
  return options;
}

// The value of `name` among `known`; throws UsageError with the nearest.
std::size_t choice(const Arguments& arguments, const std::string& name, const std::vector<std::string>& known,
                   std::size_t otherwise) {
  const auto given = arguments.text(name);
  if (!given) return otherwise;
  const auto found = std::find(known.begin(), known.end(), *given);
  if (found != known.end()) return static_cast<std::size_t>(found - known.begin());
  std::string list;
  for (const std::string& word : known) list += (list.empty() ? "" : ", ") + word;
  const std::string nearest = nearest_match(*given, known);
  throw UsageError("--" + name + ": " + printable(*given) + " was given, expected one of " + list +
                   (nearest.empty() ? "" : "; did you mean " + nearest + "?"));
}

// 0 for "auto" and for what was not given.
int number_or_auto(const Arguments& arguments, const std::string& name, long long last) {
  if (arguments.text(name) == "auto") return 0;
  try {
    return static_cast<int>(arguments.integer(name, 1, last).value_or(0));
  } catch (const UsageError& error) {
    throw UsageError(std::string(error.what()) + ", or auto");
  }
}

std::size_t errors_until_stop(const Arguments& arguments) {
  const std::string given = arguments.text("on-error").value_or("skip");
  if (given == "skip") return 0;
  if (given == "stop") return 1;
  if (given.rfind("limit=", 0) == 0 && given.size() > 6 && given.size() < 16 &&
      given.find_first_not_of("0123456789", 6) == std::string::npos &&
      given.find_first_not_of('0', 6) != std::string::npos) {
    return static_cast<std::size_t>(std::stoull(given.substr(6)));
  }
  throw UsageError("--on-error: " + printable(given) + " was given, expected skip, stop or limit=N");
}

}  // namespace

std::vector<OptionGroup> predict_option_groups() {
  return {
      {"Input",
       {{"all-files", "", "Folders and globs: every file, not only known image extensions"},
        {"0,null", "", "Paths on standard input are NUL separated (find -print0)"},
        {"fast-decode", "", "Decode large JPEGs at a fraction of their size; faster, other pixels, rows say so"},
        {"max-image-pixels", "N", "Refuse images with more pixels (100000000)"},
        {"on-error", "skip|stop|limit=N", "After a failed image: go on, stop, or stop after N (skip)"}}},
      {"Output",
       {{"o,output", "FILE",
         "Write results to FILE (.jsonl, .csv, .npz, or a folder/ for class maps); repeat it for several"},
        {"format", "NAME", "Format of standard output: table, jsonl or csv (a terminal: table, else jsonl)"},
        {"f,force", "", "Replace existing outputs"},
        {"topk", "N", "Classes that each row lists (5)"},
        {"activation", "NAME", "auto, softmax, sigmoid or none (auto)"}}},
      model_group(),
      preset_group(),
      detection_group(),
      {"Running", joined(running_options(), {{"dry-run", "", "Say what would be done, list the inputs, stop"},
                                             {"q,quiet", "", "Errors only on standard error"},
                                             {"v,verbose", "", "More on standard error"},
                                             {"log-format", "text|json", "Form of standard error (text)"},
                                             {"h,help", "", "This help"}})},
  };
}

std::vector<OptionGroup> benchmark_option_groups() {
  return {
      {"Benchmark",
       {{"num-bench-iter", "N", "Model calls of each worker that count; as many batches of images or more (40)"},
        {"num-warm-iter", "N", "Calls, then batches, before them (10)"},
        {"json", "", "One JSON object on standard output, see docs/benchmark.md"},
        {"results-file", "FILE", "The same object in FILE, replaced"},
        {"all-files", "", "Folders and globs: every file, not only known image extensions"},
        {"fast-decode", "", "Decode large JPEGs at a fraction of their size"},
        {"0,null", "", "Paths on standard input are NUL separated (find -print0)"}}},
      model_group(),
      preset_group(),
      detection_group(),
      {"Running", joined(running_options(), {{"q,quiet", "", "Errors only on standard error"},
                                             {"v,verbose", "", "More on standard error"},
                                             {"log-format", "text|json", "Form of standard error (text)"},
                                             {"h,help", "", "This help"}})},
  };
}

std::vector<OptionGroup> calibrate_option_groups() {
  return {
      {"Calibration",
       {{"images", "N", "Images that the ranges come from, at most; at most three quarters of those given (256)"},
        {"held-out", "N", "Other images, to compare int8 with fp32 on, at most (512)"},
        {"ranges", "NAME", "percentile: without the 0.01 % smallest and largest values; or minmax (percentile)"},
        {"seed", "N", "Of the choice of images (0)"},
        {"f,force", "", "Replace ranges that exist"},
        {"json", "", "One JSON object on standard output, see docs/int8.md"}}},
      {"Input",
       {{"all-files", "", "Folders and globs: every file, not only known image extensions"},
        {"0,null", "", "Paths on standard input are NUL separated (find -print0)"}}},
      model_group(),
      preset_group(),
      {"Running",
       {{"threads", "N|auto", "Threads that run the model (auto)"},
        {"q,quiet", "", "Errors only on standard error"},
        {"v,verbose", "", "More on standard error"},
        {"log-format", "text|json", "Form of standard error (text)"},
        {"h,help", "", "This help"}}},
  };
}

SourceOptions source_options(const Arguments& arguments) {
  SourceOptions options;
  const std::vector<std::string>& words = arguments.words();
  options.sources.assign(words.begin() + 1, words.end());
  options.all_files = arguments.has("all-files");
  options.nul_separated = arguments.has("null");
  if (options.nul_separated &&
      std::find(options.sources.begin(), options.sources.end(), "-") == options.sources.end()) {
    throw UsageError("--null: it is about paths on standard input, expected the source -");
  }
  return options;
}

PresetLayer preset_layer(const Arguments& arguments) {
  PresetLayer layer;
  layer.source = "command line";
  for (const std::string_view field : preset_field_names()) {
    const auto value = arguments.text(field_option_name(field));
    if (value) set_preset_field(layer, field, *value);
  }
  return layer;
}

JobOptions job_options(const Arguments& arguments) {
  JobOptions options;
  PredictOptions& predict = options.predict;
  predict.device = arguments.text("device").value_or("auto");
  constexpr Precision kPrecisions[] = {Precision::fp32, Precision::automatic, Precision::bf16, Precision::int8};
  predict.precision = kPrecisions[choice(arguments, "precision", {"fp32", "auto", "bf16", "int8"}, 0)];
  predict.batch_size = number_or_auto(arguments, "batch-size", 4096);
  predict.workers = number_or_auto(arguments, "workers", 1024);
  predict.threads_per_worker = number_or_auto(arguments, "threads", 1024);
  predict.topk = static_cast<int>(arguments.integer("topk", 1, 1'000'000).value_or(predict.topk));
  predict.activation =
      static_cast<Activation>(choice(arguments, "activation", {"auto", "softmax", "sigmoid", "none"}, 0));
  predict.confidence = static_cast<float>(arguments.number("conf", 0, 1).value_or(predict.confidence));
  predict.iou = static_cast<float>(arguments.number("iou", 0, 1).value_or(predict.iou));
  predict.max_detections =
      static_cast<int>(arguments.integer("max-det", 1, 1'000'000).value_or(predict.max_detections));
  predict.fast_decode = arguments.has("fast-decode");
  if (const auto pixels = arguments.integer("max-image-pixels", 1, 1LL << 40)) {
    predict.max_image_pixels = static_cast<std::uint64_t>(*pixels);
  }
  options.outputs = arguments.all("output");
  options.force = arguments.has("force");
  options.stop_after_errors = errors_until_stop(arguments);
  if (const auto format = arguments.text("format")) options.stdout_format = *format;
  return options;
}

CalibrateOptions calibrate_options(const Arguments& arguments) {
  CalibrateOptions options;
  options.images = static_cast<std::size_t>(arguments.integer("images", 1, 1'000'000).value_or(256));
  options.held_out = static_cast<std::size_t>(arguments.integer("held-out", 1, 1'000'000).value_or(512));
  options.method = static_cast<RangeMethod>(choice(arguments, "ranges", {"percentile", "minmax"}, 0));
  options.seed = static_cast<std::uint64_t>(arguments.integer("seed", 0, 1LL << 62).value_or(0));
  options.threads = number_or_auto(arguments, "threads", 1024);
  options.force = arguments.has("force");
  return options;
}

void refuse_unused_options(const Arguments& arguments, Task task) {
  const auto refuse = [&](std::initializer_list<const char*> names, const char* what) {
    for (const char* name : names) {
      if (!arguments.has(name)) continue;
      throw UsageError(std::string("--") + name + ": it is about " + what + ", the task of this model is " +
                       to_string(task));
    }
  };
  if (task != Task::detect && task != Task::segment && task != Task::keypoints) {
    refuse({"conf", "iou", "max-det"}, "detection");
  }
  if (task != Task::classify) refuse({"topk", "activation"}, "classification");
}

}  // namespace ptrun::tool
