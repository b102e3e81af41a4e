// ptrun calibrate: the ranges that int8 needs, and how far int8 is from fp32.
#include "ptrun/calibrate.h"

#include "command.h"
#include "figures.h"
#include "inputs.h"
#include "interrupt.h"
#include "predict_options.h"
#include "ptrun/text.h"

namespace ptrun::tool {
namespace {

double percent(std::size_t part, std::size_t whole) {
  return whole == 0 ? 0 : 100 * static_cast<double>(part) / static_cast<double>(whole);
}

std::string report_text(const CalibrationSummary& summary) {
  std::string text = printable(summary.file, 2000) + ": ranges from " + counted(summary.images, "image") +
                     (summary.failed > 0 ? ", " + counted(summary.failed, "image") + " could not be read" : "") + '\n';
  const std::string compared = counted(summary.compared, "held-out image");
  text += "int8 against fp32  ";
  if (summary.compared == 0) {
    text += "no held-out image could be read\n";
  } else if (summary.classifier) {
    text += "same first class " + std::to_string(summary.same_top1) + " of " + compared +
            format(" (%.1f %%), probabilities differ by at most %.3f\n", percent(summary.same_top1, summary.compared),
                   summary.largest_difference);
  } else {
    text += compared + format(", outputs differ by at most %.1f %% of their range\n", 100 * summary.output_difference);
  }
  text += format("speed              int8 %.1f, ", summary.int8_rate) +
          (summary.bf16_rate > 0 ? format("bf16 %.1f, ", summary.bf16_rate) : std::string()) +
          format("fp32 %.1f img/s (model alone, batch %d, one thread); int8 is %.2f times fp32", summary.fp32_rate,
                 summary.batch_size, summary.int8_rate / summary.fp32_rate) +
          (summary.bf16_rate > 0 ? format(", %.2f times bf16\n", summary.int8_rate / summary.bf16_rate) : "\n");
  return text;
}

std::string report_json(const CalibrationSummary& summary) {
  std::string text = "{\"v\":1,\"file\":" + json_text(printable(summary.file, 4000)) +
                     ",\"images\":" + std::to_string(summary.images) + ",\"failed\":" + std::to_string(summary.failed) +
                     ",\"plan\":" + json_text(summary.plan) + ",\"compared\":" + std::to_string(summary.compared);
  if (summary.classifier) {
    text += ",\"same_top1\":" + std::to_string(summary.same_top1) +
            format(",\"largest_probability_difference\":%.6g", summary.largest_difference);
  }
  text += format(",\"output_difference\":%.6g", summary.output_difference) +
          ",\"batch_size\":" + std::to_string(summary.batch_size) +
          format(",\"images_per_second\":{\"int8\":%.2f,\"fp32\":%.2f", summary.int8_rate, summary.fp32_rate) +
          (summary.bf16_rate > 0 ? format(",\"bf16\":%.2f", summary.bf16_rate) : std::string());
  return text + "}}\n";
}

}  // namespace

int run_calibrate(const Arguments& arguments, Console& console) {
  if (arguments.words().empty()) {
    throw UsageError("no model was given; usage: ptrun calibrate " + std::string(command_named("calibrate").usage));
  }
  CalibrateOptions options = exit_on_error(kUsage, [&] { return calibrate_options(arguments); });
  LoadOptions loading = exit_on_error(kUsage, [&] { return load_options(arguments); });
  options.log = loading.log = console.log_callback();
  const InputList inputs = image_list("calibrate", arguments, console);
  const Model model = exit_on_error(kModelFailed, [&] { return load_model(arguments.words().front(), loading); });
  options.cancel = &catch_interrupts();
  if (console.shows_status()) {
    options.progress = [&console](std::size_t done, std::size_t total) {
      console.set_status(std::to_string(done) + "/" + std::to_string(total) + " images");
    };
  }
  const CalibrationSummary summary =
      exit_on_error(kModelFailed, [&] { return calibrate_model(model, inputs, options); });
  console.set_status("");
  console.write_result(arguments.has("json") ? report_json(summary) : report_text(summary));
  return kDone;
}

}  // namespace ptrun::tool
