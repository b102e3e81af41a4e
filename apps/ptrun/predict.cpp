// ptrun predict: images in, one row each out.
#include <algorithm>

#include "command.h"
#include "inputs.h"
#include "interrupt.h"
#include "predict_options.h"
#include "progress.h"
#include "ptrun/device.h"
#include "ptrun/model.h"
#include "ptrun/text.h"

namespace ptrun::tool {
namespace {

// One line when preprocessing was guessed, because the labels may then be wrong without any error.
void warn_about_guesses(const Model& model, Console& console) {
  // Such a model resizes and normalises inside; none of these fields reaches it.
  if (model.signature().preprocesses_itself || model.signature().form == InputForm::list_chw) return;
  std::string fields;
  std::string source;
  for (const std::string_view field : preset_field_names()) {
    const auto origin = model.preset().origins.find(field == "input_size" ? "input_height" : field);
    if (origin == model.preset().origins.end() || !origin->second.assumed) continue;
    if (field != "input_size" && field != "resize_size" && field != "crop_pct" && field != "interpolation" &&
        field != "mean" && field != "std") {
      continue;
    }
    // One of the two decides; the other one's origin says nothing.
    if (field == (model.preset().values.resize_size > 0 ? "crop_pct" : "resize_size")) continue;
    fields += (fields.empty() ? "" : ", ") + std::string(field) + " " + preset_field_text(model.preset().values, field);
    source = origin->second.source;
  }
  if (fields.empty()) return;
  console.log(LogLevel::warning, "preprocessing is assumed (" + source + "): " + fields +
                                     "; --preset NAME or these options say it, see: ptrun predict --help");
}

// Options that this model has no use for; a script may give them for every model, so that they are no error.
void warn_about_idle_options(const Arguments& arguments, const Model& model, Console& console) {
  const auto warn = [&](const char* option, const std::string& why) {
    console.log(LogLevel::warning, "--" + std::string(option) + " has no effect: " + why);
  };
  const std::string kind = "the model is of the kind " + model.kind();
  const bool script = model.kind() == "torchscript" || model.kind() == "lite_interpreter";
  if (arguments.has("trust") && !script && model.kind() != "exported_program") {
    warn("trust", kind + ", which holds no operators of its own");
  }
  if (arguments.has("op-library") && !script) warn("op-library", kind + ", not TorchScript");
  if (arguments.has("trust-native-code") && model.kind() != "aot_inductor") {
    warn("trust-native-code", kind + ", which holds no native code");
  }
  const Preset& preset = model.preset().values;
  if (arguments.has("pad-value") && preset.resize_mode != ResizeMode::letterbox &&
      preset.crop_mode != CropMode::border) {
    warn("pad-value", "nothing is padded with resize_mode " + preset_field_text(preset, "resize_mode") +
                          " and crop_mode " + preset_field_text(preset, "crop_mode"));
  }
}

// Weights of a network that one core runs in a few hundredths of a second.
constexpr std::int64_t kLightModel = 10'000'000;

// One image in a fresh process: a second thread saves a light network 10 ms. Where other programs use the CPUs it costs
// far more, because LibTorch's OpenMP threads wait for each other by spinning (measured: 0.26 s became 1.5 s).
void choose_threads(const Model& model, const InputList& inputs, PredictOptions& predict) {
  const bool light = model.parameters() > 0 && model.parameters() < kLightModel;
  if (light && inputs.paths.size() == 1 && predict.threads_per_worker == 0) predict.threads_per_worker = 1;
}

std::string file_name(const std::string& path) {
  const std::size_t slash = path.rfind('/');
  return slash == std::string::npos ? path : path.substr(slash + 1);
}

void say_plan(const Model& model, const JobOptions& options, const InputList& inputs, Console& console) {
  const auto line = [&](const std::string& name, const std::string& value) {
    console.event(name + std::string(name.size() < 16 ? 16 - name.size() : 1, ' ') + printable(value, 1000),
                  "{\"" + name + "\":" + json_text(printable(value, 1000)) + "}");
  };
  line("model", model.path() + ", " + model.kind() + (model.architecture().empty() ? "" : ", " + model.architecture()));
  line("task", to_string(model.task()));
  line("labels", model.labels().names.empty()
                     ? "none, rows carry the class index alone"
                     : std::to_string(model.labels().names.size()) + " from " + model.labels().source);
  line("device", to_string(exit_on_error(kNoDevice, [&] { return parse_device(options.predict.device); })));
  for (const std::string_view field : preset_field_names()) {
    const auto origin = model.preset().origins.find(field == "input_size" ? "input_height" : field);
    const std::string from = origin == model.preset().origins.end()
                                 ? ""
                                 : "  (" + origin->second.source + (origin->second.assumed ? ", assumed)" : ")");
    line(std::string(field), preset_field_text(model.preset().values, field) + from);
  }
  for (const std::string& output : options.outputs) line("output", output);
  line("images", std::to_string(inputs.paths.size()));
}

int dry_run(const Model& model, const JobOptions& options, const InputList& inputs, Console& console) {
  say_plan(model, options, inputs, console);
  for (const std::string& path : inputs.paths) console.write_result(path + '\n');
  return kDone;
}

int finish(const JobSummary& summary, const JobOptions& options, Console& console) {
  console.set_status("");
  console.event(summary_line(summary), summary_json(summary));
  if (summary.succeeded + summary.failed < summary.total) {
    const bool csv = std::any_of(options.outputs.begin(), options.outputs.end(), [](const std::string& name) {
      return file_name(name).find(".csv") != std::string::npos;
    });
    console.log(LogLevel::warning,
                "not all images have a row; " +
                    std::string(csv ? "CSV output is kept as NAME.csv.partial" : "finished rows are written"));
  }
  if (summary.cancelled) return kInterrupted;
  return summary.failed > 0 ? kSomeFailed : kDone;
}

int predict(const Arguments& arguments, Console& console) {
  if (arguments.words().empty()) {
    throw UsageError("no model was given; usage: ptrun predict " + std::string(command_named("predict").usage));
  }
  JobOptions options = exit_on_error(kUsage, [&] { return job_options(arguments); });
  LoadOptions loading = exit_on_error(kUsage, [&] { return load_options(arguments); });
  options.predict.log = loading.log = console.log_callback();
  options.write_stdout = [&console](const std::string& bytes) { console.write_result(bytes); };
  // Pictures are no rows.
  const bool has_rows = std::any_of(options.outputs.begin(), options.outputs.end(),
                                    [](const std::string& name) { return name.empty() || name.back() != '/'; });
  if (options.stdout_format.empty() && !has_rows) {
    options.stdout_format = Console::output_is_terminal() ? "table" : "jsonl";
  }
  options.stdout_columns = Console::output_columns();
  exit_on_error(kUsage, [&] { check_outputs(options); });
  if (const auto task = task_of_outputs(options); task && loading.task.empty()) loading.task = to_string(*task);
  const InputList inputs = image_list("predict", arguments, console);
  exit_on_error(kNoDevice, [&] { return parse_device(options.predict.device); });

  const Model model = exit_on_error(kModelFailed, [&] { return load_model(arguments.words().front(), loading); });
  refuse_unused_options(arguments, model.task());
  exit_on_error(kUsage, [&] { check_outputs(options, model.task()); });
  warn_about_guesses(model, console);
  warn_about_idle_options(arguments, model, console);
  if (arguments.has("dry-run")) return dry_run(model, options, inputs, console);

  choose_threads(model, inputs, options.predict);
  options.cancel = &catch_interrupts();
  if (console.shows_status()) {
    options.progress = [&console](const Progress& progress) {
      // A job of one screen is over before a rate means anything.
      if (progress.seconds > 0.5) console.set_status(progress_line(progress));
    };
  }
  const JobSummary summary = exit_on_error(kModelFailed, [&] { return run_job(model, inputs, options); });
  return finish(summary, options, console);
}

}  // namespace

int run_predict(const Arguments& arguments, Console& console) { return predict(arguments, console); }

}  // namespace ptrun::tool
