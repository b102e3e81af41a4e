#include "loader/loader.h"

#include <malloc.h>

#include <array>
#include <filesystem>

#include "core/apart.h"
#include "core/text.h"
#include "loader/class_map_output.h"
#include "loader/file_facts.h"
#include "loader/labels.h"
#include "loader/model_folder.h"
#include "loader/one_libtorch.h"
#include "loader/presets.h"
#include "loader/sidecar.h"
#include "loader/watched_source.h"
#include "ptrun/error.h"

namespace ptrun {
namespace {

struct LoaderRow {
  archive::Kind kind;
  void (*load)(const LoadRequest& request, Model::Impl& model);
};

constexpr std::array kLoaders = {
    LoaderRow{archive::Kind::torch_save_zip, load_weights},
    LoaderRow{archive::Kind::torch_save_legacy, load_weights},
    LoaderRow{archive::Kind::safetensors, load_weights},
    LoaderRow{archive::Kind::shard_index, load_weights},
    LoaderRow{archive::Kind::torchscript, load_torchscript},
    LoaderRow{archive::Kind::lite_interpreter, load_torchscript},
    LoaderRow{archive::Kind::aot_inductor, load_native_package},
    LoaderRow{archive::Kind::exported_program, load_exported_program},
    LoaderRow{archive::Kind::exported_program_old, load_exported_program},
};

const LoaderRow& find_loader(const archive::ByteSource& source, archive::Kind kind) {
  archive::require_readable(source, kind);
  for (const LoaderRow& row : kLoaders) {
    if (row.kind == kind) return row;
  }
  throw Error(ErrorCode::unsupported, source.name(),
              "is " + std::string(archive::info(kind).title) +
                  ", which this version of ptrun recognises but does not run; save the model as TorchScript "
                  "(torch.jit.trace(model.eval(), example).save(\"model.pt\")) or its state_dict");
}

// Names of all tasks, in the order of the enumeration.
constexpr std::array kTasks = {Task::classify, Task::detect,  Task::segment, Task::keypoints,
                               Task::embed,    Task::restore, Task::tensors};

// Weights are freed as many blocks, and what malloc keeps of them depends on what lies between: tell it to give back
// what it can, so that a program that loads models again and again stays as small as after the first.
void destroy(Model::Impl* model) {
  constexpr std::int64_t kLargeModel = 1'000'000;  // parameters; a trim takes about a millisecond
  const bool large = model->parameters >= kLargeModel;
  delete model;
  if (large) malloc_trim(0);
}

}  // namespace

Task parse_task(const std::string& text, const std::string& subject) {
  if (const std::optional<Task> task = find_task(text)) return *task;
  std::vector<std::string> known;
  for (const Task task : kTasks) known.emplace_back(to_string(task));
  const std::string near = nearest_match(text, known);
  throw Error(ErrorCode::invalid_argument, subject,
              printable(text) + " was found, expected a task, one of " + join_some(known, known.size()) +
                  (near.empty() ? std::string() : "; did you mean " + near + "?"));
}

std::optional<Task> find_task(std::string_view word) {
  for (const Task task : kTasks) {
    if (word == to_string(task)) return task;
  }
  return std::nullopt;
}

ModelFacts read_sidecar(const std::string& path) {
  const std::string sidecar = path + ".ptrun.json";
  std::error_code unreadable;
  if (!std::filesystem::exists(sidecar, unreadable)) return {};
  const auto source = archive::open_file(sidecar);
  if (source->size() > kMaxSidecarBytes) {
    throw Error(
        ErrorCode::limit_exceeded, sidecar,
        "holds " + human_bytes(source->size()) + ", at most " + human_bytes(kMaxSidecarBytes) + " are accepted");
  }
  return read_ptrun_json(source->read_string(0, static_cast<std::size_t>(source->size())), sidecar);
}

Model::Model(std::shared_ptr<const Impl> impl) : impl_(std::move(impl)) {}

const std::string& Model::path() const noexcept { return impl_->path; }
const std::string& Model::kind() const noexcept { return impl_->kind; }
const std::string& Model::architecture() const noexcept { return impl_->architecture; }
Task Model::task() const noexcept { return impl_->task; }
const Signature& Model::signature() const noexcept { return impl_->signature; }
const Labels& Model::labels() const noexcept { return impl_->labels; }
const ResolvedPreset& Model::preset() const noexcept { return impl_->preset; }
std::int64_t Model::parameters() const noexcept { return impl_->parameters; }
const std::vector<std::string>& Model::notes() const noexcept { return impl_->notes; }

Model load_model(const std::string& path, const LoadOptions& options) {
  if (options.models == nullptr) {
    throw Error(ErrorCode::invalid_argument, "LoadOptions::models",
                "is null, expected tables such as builtin_models()");
  }
  require_one_libtorch();
  const std::string file = find_model_file(path);
  const auto opened = archive::open_file(file);
  const auto source = std::make_shared<WatchedSource>(opened, options);
  const WatchEnd end(*source);
  source->check();
  const archive::Kind kind = archive::detect(*source);
  const LoaderRow& row = find_loader(*source, kind);
  // Read before the weights: a mistake in it is told at once.
  const ModelFacts sidecar = read_sidecar(file);
  ModelFacts config = read_folder_config(file);
  PublishedSearch published(opened, *options.models);
  const std::shared_ptr<Model::Impl> model(new Model::Impl, destroy);
  model->path = path;
  model->kind = archive::info(kind).word;
  apart([&] { row.load({source, kind, options, sidecar, config}, *model); });
  source->check();
  apply_facts(std::move(config), *model);
  const std::string& task = options.task.empty() ? sidecar.task : options.task;
  if (!task.empty()) model->task = parse_task(task, options.task.empty() ? sidecar.preset.source : "task");
  model->task_given = !task.empty();
  assume_class_map_preset(*model);
  const PublishedWeights* weights = published.find(model->notes);
  if (weights == nullptr && !model->same_keys.empty()) model->notes.push_back(model->same_keys);
  resolve_model_preset(options, sidecar, weights, *model);
  resolve_labels(options, sidecar, weights, *model);
  source->check();
  source->finish();
  if (options.log) {
    for (const std::string& note : model->notes) options.log(LogLevel::warning, path + ": " + note);
  }
  return Model(model);
}

}  // namespace ptrun
