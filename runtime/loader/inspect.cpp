// The public inspect: what the archive says, then what the tables of known models add, then what to do.
#include "ptrun/inspect.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "archive/inspect_archive.h"
#include "core/text.h"
#include "loader/class_map_output.h"
#include "loader/export_lines.h"
#include "loader/exported_program/inspect.h"
#include "loader/extra_files.h"
#include "loader/file_facts.h"
#include "loader/labels.h"
#include "loader/model_folder.h"
#include "loader/native_package/package.h"
#include "loader/network_facts.h"
#include "loader/pickled_module.h"
#include "loader/presets.h"
#include "loader/sidecar.h"
#include "loader/torchscript/allow.h"
#include "loader/torchscript/scan.h"
#include "ptrun/error.h"

namespace ptrun {
namespace {

class Inspector {
 public:
  Inspector(const std::string& path, const InspectOptions& options) : options_(options) { found_.path = path; }

  Inspection run() {
    const std::string file = find_model_file(found_.path);
    source_ = archive::open_file(file);
    config_ = read_folder_config(file);
    archive_ = archive::inspect_archive(source_, options_.verify);
    found_.kind = archive_.word;
    found_.file_size = source_->size();
    found_.findings = std::move(archive_.findings);
    found_.tensors = std::move(archive_.tensors);
    found_.classes = std::move(archive_.classes);
    found_.parameters = archive_.parameters;
    describe();
    if (archive_.file != nullptr) {
      judge_weights();
    } else if (archive_.kind == archive::Kind::torchscript || archive_.kind == archive::Kind::lite_interpreter) {
      judge_script();
    } else if (archive_.kind == archive::Kind::exported_program ||
               archive_.kind == archive::Kind::exported_program_old) {
      judge_program();
    } else {
      explain_kind();
    }
    return std::move(found_);
  }

 private:
  void add(std::string name, std::string value, std::string source) {
    if (!value.empty()) found_.findings.push_back({std::move(name), std::move(value), std::move(source)});
  }

  static bool contains(const std::vector<std::string>& names, const std::string& name) {
    return std::find(names.begin(), names.end(), name) != names.end();
  }

  void describe() {
    const std::string title(archive::info(archive_.kind).title);
    const auto& weights = archive_.weights;
    if (found_.kind == "state_dict") {
      found_.description = title + " that holds a state_dict of " + std::to_string(found_.tensors.size()) + " tensors";
    } else if (found_.kind == "checkpoint") {
      found_.description = title + " that holds a training checkpoint";
    } else if (found_.kind == "pickled_module") {
      found_.description = title + " that holds a whole pickled " + printable(weights->module_class);
    } else if (found_.kind == "tensor") {
      found_.description = title + " that holds one tensor";
    } else if (found_.kind == "pickled_value") {
      found_.description = title + " without named weights";
    } else {
      found_.description = title;
    }
    const std::string more = archive::details(*source_, archive_.kind);
    if (!more.empty()) found_.description += " (" + more + ")";
  }

  // Weights run when a known family recognises them; a pickled module when its classes have rules.
  void judge_weights() {
    if (!archive_.weights) {
      found_.explanation = "The file " + archive_.no_weights + ".\n" + export_lines({found_.path, "", "", false});
      return;
    }
    const archive::FoundWeights& weights = *archive_.weights;
    Model::Impl model;
    model.path = found_.path;
    std::optional<Task> task;
    std::string refusal;
    if (weights.whole_module) {
      const PickledSummary summary = describe_pickled_module(archive_.file, weights, *options_.models, model);
      task = summary.task;
      refusal = summary.refusal;
      add("architecture", model.architecture, "classes of the file");
    } else if (const auto recognised = recognise(*options_.models, weights.table, config_.architecture)) {
      fill_network_facts(*recognised->architecture, recognised->match, *options_.models, config_.architecture, model);
      task = model.task;
      add("architecture", model.architecture, "tensor names and shapes");
    } else {
      refusal = "no network that ptrun knows has tensors of these names and shapes";
    }
    found_.runnable = refusal.empty();
    if (found_.runnable) return add_usage(model, task);
    found_.explanation = (weights.whole_module ? "The file cannot run as it is: " : "The file holds weights, and ") +
                         refusal + ".\n" +
                         export_lines({found_.path, weights.module_class, weights.where, weights.whole_module});
  }

  void judge_script() {
    found_.operators = torchscript::list_operators(source_);
    const torchscript::AllowRule rule;
    found_.missing_operators = torchscript::missing_operators(found_.operators, rule);
    std::vector<std::string> refused;
    for (const std::string& name : found_.operators) {
      if (!torchscript::is_allowed(name) && !contains(found_.missing_operators, name)) refused.push_back(name);
    }
    add("operators that need --trust", join_some(refused), "code of the program");
    try {
      const torchscript::ScriptArchive script = torchscript::read_script_archive(source_, UINT64_MAX);
      torchscript::require_operators(script.code, source_->name(), rule);
      torchscript::check_text(script.code, source_->name(), rule);
      add_extra_files(*script.zip);
      found_.runnable = true;
    } catch (const Error& error) {
      found_.explanation = "ptrun does not run this program: " + error.problem() + ".";
    }
  }

  void judge_program() {
    try {
      const archive::exported::Archive program = archive::exported::open_archive(source_);
      exported::describe(program, found_);
      add_extra_files(*program.zip);
      found_.runnable = found_.missing_operators.empty();
      if (found_.runnable) return;
      found_.explanation = "ptrun does not run this program: it uses operators that ptrun lacks (" +
                           join_some(found_.missing_operators, 5) + ").\n";
    } catch (const Error& error) {
      found_.explanation = "ptrun does not run this program: " + error.problem() + ".\n";
    }
    found_.explanation += export_lines({found_.path, "", "", false, true});
  }

  void explain_kind() {
    const archive::KindInfo& row = archive::info(archive_.kind);
    found_.explanation = "The file is " + found_.description + ". ";
    if (!row.remedy.empty()) {
      found_.explanation += "What to do: " + std::string(row.remedy) + ".";
      return;
    }
    if (archive_.kind == archive::Kind::aot_inductor) {
      try {
        for (const auto& [key, value] : native::read_package(source_, UINT64_MAX).metadata) {
          add(key, printable(value), "metadata of the native code");
        }
      } catch (const Error& error) {
        found_.explanation += "It " + error.problem() + ". ";
      }
      found_.explanation +=
          "It is native code, which runs with all the rights of the process that opens it: --trust-native-code runs "
          "it, only for a package that you compiled, beside a " +
          found_.path + ".ptrun.json that says its inputs. A file of torch.export.save needs no such trust.";
      return;
    }
    found_.explanation +=
        "This version of ptrun recognises it but does not run it.\n" + export_lines({found_.path, "", "", false});
  }

  void add_extra_files(const archive::ZipArchive& zip) {
    std::vector<std::string> notes;
    const ModelFacts facts = read_extra_files(zip, notes);
    if (!facts.task.empty()) {  // wins over what the outputs look like
      const auto is_task = [](const Finding& finding) { return finding.name == "task"; };
      found_.findings.erase(std::remove_if(found_.findings.begin(), found_.findings.end(), is_task),
                            found_.findings.end());
      add("task", facts.task, "extra files in the model file");
    }
    add_labels(facts.labels);
    add_file_preset(facts.preset);
    for (const std::string& note : notes) add("note", note, "ptrun");
  }

  // The fields that the file itself fixes.
  void add_file_preset(const PresetLayer& preset) {
    if (preset.source.empty()) return;
    const ResolvedPreset resolved = resolve_preset({preset});
    for (const std::string_view field : preset_field_names()) {
      const auto origin = resolved.origins.find(field == "input_size" ? "input_height" : std::string(field));
      if (origin == resolved.origins.end() || origin->second.source != preset.source) continue;
      add(std::string(field), preset_field_text(resolved.values, field), preset.source);
    }
  }

  void add_labels(const Labels& labels) {
    if (labels.names.empty()) return;
    add("labels", std::to_string(labels.names.size()) + ": " + join_some(labels.names, 5), labels.source);
  }

  // Task, labels and every preset field as load_model would choose them; `task` is what the network says.
  void add_usage(Model::Impl& model, std::optional<Task> task) {
    const ModelFacts inside = read_file_facts(*archive_.file, *archive_.weights);
    const ModelFacts sidecar = read_sidecar(source_->name());
    LoadOptions load;
    load.models = options_.models;
    PublishedSearch search(source_, *options_.models);
    const PublishedWeights* published = search.find(model.notes);
    if (published == nullptr && !model.same_keys.empty()) model.notes.push_back(model.same_keys);
    if (published != nullptr) add("published weights", std::string(published->name), "content of the file");
    add_signature(model);
    if (!sidecar.task.empty()) {
      add("task", sidecar.task, "sidecar");
    } else if (!inside.task.empty()) {
      add("task", inside.task, inside.preset.source);
    } else if (task) {
      add("task", to_string(*task),
          model.architecture.empty() ? "classes of the file" : "architecture " + model.architecture);
    }
    if (task) model.task = *task;
    apply_facts(inside, model);
    apply_facts(config_, model);
    assume_class_map_preset(model);
    resolve_labels(load, sidecar, published, model);
    add_labels(model.labels);
    resolve_model_preset(load, sidecar, published, model);
    for (const std::string_view field : preset_field_names()) {
      const auto origin = model.preset.origins.find(field == "input_size" ? "input_height" : std::string(field));
      if (origin == model.preset.origins.end()) continue;
      add(std::string(field), preset_field_text(model.preset.values, field),
          origin->second.source + (origin->second.assumed ? ", assumed" : ""));
    }
    for (const std::string& note : model.notes) add("note", note, "ptrun");
  }

  void add_signature(const Model::Impl& model) {
    if (model.signature.inputs.empty()) return;
    std::string input = "[N, 3";
    for (std::size_t i = 2; i < 4; ++i) {
      const Dimension& side = model.signature.inputs[0].dimensions.at(i);
      input += ", " + (side.size > 0 ? std::to_string(side.size) : std::string(i == 2 ? "H" : "W"));
    }
    add("input", input + "] float32", "architecture " + model.architecture);
    const std::int64_t classes = model.signature.output.spec.dimensions.at(1).size;
    if (classes > 0) add("classes", std::to_string(classes), "shape of the last layer");
  }

  const InspectOptions& options_;
  ModelFacts config_;  // of the folder
  std::shared_ptr<const archive::ByteSource> source_;
  archive::ArchiveInspection archive_;
  Inspection found_;
};

}  // namespace

Inspection inspect(const std::string& path, const InspectOptions& options) {
  if (options.models == nullptr) {
    throw Error(ErrorCode::invalid_argument, "InspectOptions::models",
                "is null, expected tables such as builtin_models()");
  }
  return Inspector(path, options).run();
}

std::string to_json(const Inspection& inspection) {
  using nlohmann::ordered_json;
  ordered_json json;
  json["v"] = 1;
  json["path"] = inspection.path;
  json["kind"] = inspection.kind;
  json["description"] = inspection.description;
  json["runnable"] = inspection.runnable;
  json["explanation"] = inspection.explanation;
  json["file_size"] = inspection.file_size;
  json["parameters"] = inspection.parameters;
  json["findings"] = ordered_json::array();
  for (const Finding& finding : inspection.findings) {
    ordered_json row;
    row["name"] = finding.name;
    row["value"] = finding.value;
    row["source"] = finding.source;
    json["findings"].push_back(std::move(row));
  }
  json["tensors"] = ordered_json::array();
  for (const TensorSummary& tensor : inspection.tensors) {
    ordered_json row;
    row["name"] = tensor.name;
    row["dtype"] = archive::to_string(tensor.dtype);
    row["shape"] = tensor.shape;
    json["tensors"].push_back(std::move(row));
  }
  json["classes"] = inspection.classes;
  json["operators"] = inspection.operators;
  json["missing_operators"] = inspection.missing_operators;
  // Names in a file need not be UTF-8; what is not becomes U+FFFD.
  return json.dump(-1, ' ', false, ordered_json::error_handler_t::replace);
}

}  // namespace ptrun
