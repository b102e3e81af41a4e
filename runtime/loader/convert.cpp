#include "ptrun/convert.h"

#include <sys/stat.h>

#include <nlohmann/json.hpp>

#include "archive/weight_table.h"
#include "archive/write_weights.h"
#include "core/output_file.h"
#include "core/text.h"
#include "loader/file_facts.h"
#include "loader/labels.h"
#include "loader/model_folder.h"
#include "loader/network_facts.h"
#include "loader/pickled_module.h"
#include "loader/presets.h"
#include "ptrun/error.h"

namespace ptrun {
namespace {

const archive::WeightFormat& format_of(const std::string& output) {
  const archive::WeightFormat* format = archive::weight_format_for(output);
  if (format != nullptr) return *format;
  std::vector<std::string> known;
  for (const archive::WeightFormat& row : archive::weight_formats()) {
    for (const std::string_view extension : row.extensions) known.emplace_back(extension);
  }
  throw Error(ErrorCode::invalid_argument, printable(output),
              "its ending is no format of weights, expected one of " + join_some(known));
}

void check_output(const std::string& output, const std::string& model, bool force) {
  struct stat written {};
  struct stat read {};
  if (::stat(output.c_str(), &written) != 0) return;
  if (S_ISDIR(written.st_mode)) {
    throw Error(ErrorCode::invalid_argument, printable(output), "is a folder, expected the name of a file");
  }
  if (::stat(model.c_str(), &read) == 0 && read.st_dev == written.st_dev && read.st_ino == written.st_ino) {
    throw Error(ErrorCode::invalid_argument, printable(output), "the output is the model itself; give another name");
  }
  if (S_ISREG(written.st_mode) && !force) {
    throw Error(ErrorCode::invalid_argument, printable(output),
                "the output exists already; give another name, or --force to replace it");
  }
}

archive::Kind kind_with_weights(const archive::ByteSource& source) {
  const archive::Kind kind = archive::detect(source);
  archive::require_readable(source, kind);
  switch (kind) {
    case archive::Kind::torch_save_zip:
    case archive::Kind::torch_save_legacy:
    case archive::Kind::safetensors:
    case archive::Kind::shard_index: return kind;
    default:
      throw Error(
          ErrorCode::unsupported, source.name(),
          "is " + std::string(archive::info(kind).title) +
              ", expected a file of weights (state_dict, checkpoint, pickled module, safetensors); it holds its "
              "own program and runs as it is: ptrun predict MODEL SOURCE...");
  }
}

class Converter {
 public:
  Converter(const std::string& path, const std::string& output, const ConvertOptions& options)
      : output_(output), options_(options), path_(find_model_file(path)), format_(format_of(output)) {
    check_output(output, path_, options.force);
    source_ = archive::open_file(path_);
    file_ = archive::TensorFile::open(source_, kind_with_weights(*source_));
    found_ = archive::find_weights(*file_);
  }

  ConvertSummary run() {
    summary_.format = format_.name;
    summary_.tensors = found_.table.entries().size();
    summary_.bytes_before = source_->size();
    summary_.notes = found_.notes;
    if (!found_.stripped_prefix.empty()) {
      summary_.notes.push_back("the prefix " + printable(found_.stripped_prefix) + " is left out of every name");
    }
    const std::string facts = facts_text();
    if (found_.whole_module) {
      const bool runs = recognise(*options_.models, found_.table).has_value();
      summary_.notes.push_back("only the weights of the pickled " + printable(found_.module_class) +
                               " are written, its structure is not: " +
                               (runs ? "what was changed in it by hand, such as an activation, is lost"
                                     : "ptrun cannot run the result, Python only with the code of the model"));
    }
    OutputFile file(output_, true, options_.force);
    format_.write({*file_, found_.table, facts}, [&](std::string_view bytes) {
      file.write(bytes);
      summary_.bytes_after += bytes.size();
    });
    file.commit();
    if (options_.log) {
      for (const std::string& note : summary_.notes) options_.log(LogLevel::warning, path_ + ": " + note);
    }
    return std::move(summary_);
  }

 private:
  // What load_model would find out about the file and the weights written, without what it would only assume.
  std::string facts_text() {
    Model::Impl model;
    model.path = path_;
    LoadOptions load;
    load.models = options_.models;
    load.labels_file = options_.labels_file;
    load.preset_name = options_.preset_name;
    load.preset = options_.preset;
    std::optional<Task> task;
    const ModelFacts config = read_folder_config(path_);
    std::string twin;
    if (const auto recognised = recognise(*options_.models, found_.table, config.architecture)) {
      if (recognised->architecture->by_name) twin = recognised->match.name;
      fill_network_facts(*recognised->architecture, recognised->match, *options_.models, config.architecture, model);
      task = model.task;
    } else if (found_.whole_module) {
      task = describe_pickled_module(file_, found_, *options_.models, model).task;
    }
    summary_.architecture = model.architecture;
    const ModelFacts sidecar = read_sidecar(path_);
    const ModelFacts inside = read_file_facts(*file_, found_);
    for (const ModelFacts* said : {&inside, &sidecar}) {
      if (!said->task.empty()) task = parse_task(said->task, said->preset.source);
    }
    if (task) model.task = *task;
    apply_facts(inside, model);
    apply_facts(config, model);
    PublishedSearch search(source_, *options_.models);
    const PublishedWeights* published = search.find(model.notes);
    resolve_model_preset(load, sidecar, published, model);
    const std::size_t names = model.labels.names.size();
    resolve_labels(load, sidecar, published, model);
    check_count(names, model);
    summary_.notes.insert(summary_.notes.end(), model.notes.begin(), model.notes.end());

    nlohmann::ordered_json facts;
    facts["v"] = 1;
    // Names and shapes alone would be taken for another network.
    if (!twin.empty()) facts["architecture"] = twin;
    if (task) {
      facts["task"] = to_string(*task);
      summary_.carried.push_back(std::string("task ") + to_string(*task));
    }
    if (!model.labels.names.empty() && !model.labels_assumed) {
      facts["labels"] = model.labels.names;
      summary_.carried.push_back(std::to_string(model.labels.names.size()) + " labels");
    }
    for (const std::string_view field : preset_field_names()) {
      const auto origin = model.preset.origins.find(field == "input_size" ? "input_height" : std::string(field));
      if (origin == model.preset.origins.end() || origin->second.assumed) continue;
      const std::string value = preset_field_text(model.preset.values, field);
      facts["preset"][std::string(field)] = value;
      summary_.carried.push_back(std::string(field) + " " + value);
    }
    if (facts.size() == 1) return {};
    return facts.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
  }

  // Labels of the caller's where no signature says how many there must be: the file's own names do, or nobody.
  void check_count(std::size_t names, const Model::Impl& model) {
    const std::size_t given = model.labels.names.size();
    if (options_.labels_file.empty() || !model.signature.output.spec.dimensions.empty()) return;
    if (names > 0 && names != given) {
      throw Error(ErrorCode::invalid_argument, options_.labels_file,
                  "holds " + std::to_string(given) + " labels, but the model has " + std::to_string(names) +
                      " classes; give one label for each class, in the order of the outputs");
    }
    if (names == 0) {
      summary_.notes.push_back("how many classes the weights have is not known, the number of labels (" +
                               std::to_string(given) + ") is not checked");
    }
  }

  std::string output_;
  const ConvertOptions& options_;
  std::string path_;
  const archive::WeightFormat& format_;
  std::shared_ptr<const archive::ByteSource> source_;
  std::shared_ptr<const archive::TensorFile> file_;
  archive::FoundWeights found_;
  ConvertSummary summary_;
};

}  // namespace

ConvertSummary convert_model(const std::string& path, const std::string& output, const ConvertOptions& options) {
  if (options.models == nullptr) {
    throw Error(ErrorCode::invalid_argument, "ConvertOptions::models",
                "is null, expected tables such as builtin_models()");
  }
  return Converter(path, output, options).run();
}

}  // namespace ptrun
