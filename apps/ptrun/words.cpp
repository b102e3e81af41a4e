// What the commands say about themselves. Nothing here needs the engine: help and wrong usage are answered at once.
#include "command.h"
#include "predict_options.h"
#include "ptrun/text.h"

namespace ptrun::tool {
namespace {

std::vector<OptionGroup> inspect_options() {
  return {{"Inspect",
           {{"json", "", "One JSON object (its \"v\" is 1) with every tensor"},
            {"verify", "", "Read every record and check its CRC"},
            {"tensors", "", "List all tensors"},
            {"h,help", "", "This help"}}}};
}

std::vector<OptionGroup> convert_options() {
  return {{"Output",
           {{"o,output", "FILE", "OUT.safetensors, or OUT.pt for torch.load"},
            {"f,force", "", "Replace an existing output"}}},
          {"Goes along",
           {{"labels,class-map", "FILE", "Names of the classes: one a line, or JSON"},
            {"preset", "NAME", "Preprocessing of published weights, see: ptrun models"}}},
          {"Other",
           {{"q,quiet", "", "Errors only on standard error"},
            {"v,verbose", "", "More on standard error"},
            {"log-format", "text|json", "Form of standard error (text)"},
            {"h,help", "", "This help"}}}};
}

std::vector<OptionGroup> models_options() { return {{"Models", {{"h,help", "", "This help"}}}}; }
std::vector<OptionGroup> devices_options() { return {{"Devices", {{"h,help", "", "This help"}}}}; }

void check_predict(const Arguments& arguments) {
  if (arguments.words().empty()) return;  // the command says what is missing
  source_options(arguments);
  job_options(arguments);
  preset_layer(arguments);
}

void check_calibrate(const Arguments& arguments) {
  if (arguments.words().empty()) return;  // the command says what is missing
  source_options(arguments);
  calibrate_options(arguments);
  preset_layer(arguments);
}

constexpr const char* kPredictNotes =
    R"(SOURCE  an image; a folder (recursive, natural order); a quoted glob ('photos/**/*.jpg');
        @list.txt (one path a line, relative to the folder that ptrun runs in); - (paths on
        standard input). Names in folders that begin with a dot are hidden. -- ends the options.

Exit codes: 0 all images done; 1 some failed, each has its row; 2 wrong usage; 3 the model cannot
be loaded or run; 4 output cannot be written; 5 device not available; 130 interrupted; 141 the
reader of standard output has gone (head).

Examples:
  ptrun predict mobilenet_v2-b0353104.pth cat.jpg
  ptrun predict model.pt photos/ -o results.jsonl -o results.csv
  find photos -name '*.png' -print0 | ptrun predict model.pt - -0 --topk 1
)";

constexpr const char* kBenchmarkNotes =
    R"(Without SOURCE the model alone is timed on made-up images. With images (see: ptrun predict --help),
also the way from files to predictions after a warm-up, with the share of each stage and of the
speed of the model alone. Times are of this machine as it is now: compare on an idle one.

Exit codes are those of ptrun predict.

Examples:
  ptrun benchmark model.pt
  ptrun benchmark model.pt photos/ --precision bf16 --json
  ptrun benchmark model.pt -b 1 -j 1 --threads 2 --num-bench-iter 200
)";

constexpr const char* kCalibrateNotes =
    R"(Runs the model in fp32 on photos of the kind it will see, notes which values each of its tensors
takes, and writes them to MODEL.ptrun.int8.json, which --precision int8 of predict and benchmark
reads. No labels are needed. Other photos, held out, say how far int8 is from fp32 and what it
saves. A photo that cannot be read is left out with a warning.

Exit codes: 0 written; 2 wrong usage; 3 the model cannot be loaded, run or made int8; 4 the ranges
cannot be written; 130 interrupted, nothing is written.

Examples:
  ptrun calibrate model.pt photos/
  ptrun predict model.pt photos/ --precision int8
)";

constexpr const char* kConvertNotes =
    R"(Takes the weights out of a checkpoint, pickled module or set of shards; nothing of it is executed.
OUT.pt loads in Python with torch.load(..., weights_only=True), every dtype bit for bit. Labels, task
and preprocessing that are known and not assumed travel inside the output; ptrun reads them back.

Examples:
  ptrun convert checkpoint.ckpt -o weights.safetensors
  ptrun convert run7/last.pt -o model.pt --labels names.txt
)";

}  // namespace

const std::vector<Command>& commands() {
  static const std::vector<Command> kCommands = {
      {"predict", "predict images, folders, globs or lists of them", "MODEL SOURCE... [-o FILE]... [options]",
       kPredictNotes, predict_option_groups, check_predict},
      {"benchmark", "time a model alone, and from image files to predictions", "MODEL [SOURCE...] [options]",
       kBenchmarkNotes, benchmark_option_groups, check_predict},
      {"calibrate", "find the ranges that --precision int8 needs, on a folder of photos", "MODEL SOURCE... [options]",
       kCalibrateNotes, calibrate_option_groups, check_calibrate},
      {"inspect", "say what a model file is, without running anything from it", "MODEL [--json] [--verify]",
       "Exit code 0 whenever the file was recognised, also when it cannot run.\n", inspect_options, nullptr},
      {"convert", "write a model's weights as safetensors or a plain state_dict", "MODEL -o OUT.safetensors|OUT.pt",
       kConvertNotes, convert_options, nullptr},
      {"models", "list known architectures and published weights", "", "", models_options, nullptr},
      {"devices", "list what a model can run on here", "", "", devices_options, nullptr},
  };
  return kCommands;
}

const Command& command_named(const std::string& name) {
  std::vector<std::string> names;
  for (const Command& command : commands()) {
    if (name == command.name) return command;
    names.emplace_back(command.name);
  }
  const std::string nearest = nearest_match(name, names);
  throw UsageError(printable(name) + ": no such command" +
                   (nearest.empty() ? "; ptrun --help lists them" : "; did you mean " + nearest + "?"));
}

}  // namespace ptrun::tool
