// One file per kind of model file, in one table (loader.cpp): records -> Model::Impl.
#pragma once

#include <memory>
#include <optional>
#include <string_view>

#include "archive/byte_source.h"
#include "archive/kind.h"
#include "loader/model_impl.h"
#include "loader/sidecar.h"
#include "ptrun/model.h"

namespace ptrun {

struct LoadRequest {
  std::shared_ptr<const archive::ByteSource> source;
  archive::Kind kind;
  const LoadOptions& options;
  const ModelFacts& sidecar;
  const ModelFacts& config;  // of the model's folder
};

// A loader fills path-independent parts of `model`: kind, architecture, task, module, signature, parameters, notes, and
// labels and presets that the file itself carries.
//
// weights.cpp: torch_save_zip, torch_save_legacy, safetensors with a known architecture.
void load_weights(const LoadRequest& request, Model::Impl& model);
// torchscript/load.cpp: scanned, read, frozen to a graph where that works.
void load_torchscript(const LoadRequest& request, Model::Impl& model);
// native_package/load.cpp: AOTInductor packages, with LoadOptions::trust_native_code and a sidecar that says their
// inputs.
void load_native_package(const LoadRequest& request, Model::Impl& model);

// "detect" -> Task::detect; empty for another word. Defined in loader.cpp.
std::optional<Task> find_task(std::string_view word);

// exported_program/: .pt2 of torch.export, translated to a graph.
void load_exported_program(const LoadRequest& request, Model::Impl& model);

}  // namespace ptrun
