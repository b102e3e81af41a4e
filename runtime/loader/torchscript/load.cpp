// TorchScript files: checked, read through our own bytes, frozen to a graph where that works.
#include <ATen/ATen.h>
#include <c10/core/InferenceMode.h>
#include <c10/util/Exception.h>
#include <torch/csrc/jit/api/compilation_unit.h>
#include <torch/csrc/jit/passes/constant_propagation.h>
#include <torch/csrc/jit/passes/inliner.h>
#include <torch/csrc/jit/serialization/import.h>

#include <string_view>

#include "graph/failure_text.h"
#include "graph/jit_api.h"
#include "graph/silence.h"
#include "loader/extra_files.h"
#include "loader/file_facts.h"
#include "loader/loader.h"
#include "loader/presets.h"
#include "loader/torchscript/interface.h"
#include "loader/torchscript/program.h"
#include "loader/torchscript/reader.h"
#include "loader/torchscript/scan.h"
#include "operators/library.h"
#include "operators/operators.h"
#include "ptrun/error.h"

namespace ptrun {
namespace {

using torch::jit::Graph;

std::string explain_load_failure(const std::exception& error) {
  const std::string cause = jit::failure_text(error);
  if (cause.find("Unknown builtin op") != std::string::npos) {
    return "LibTorch does not know an operator that it needs (" + cause +
           "); it comes from a library that ptrun lacks, or from a newer PyTorch";
  }
  return "LibTorch cannot read it (" + cause +
         "); load it in Python to see whether the file is sound, or save it again";
}

torch::jit::Module load_checked(const torchscript::ScriptArchive& archive, const std::string& subject) {
  const auto reader = std::make_shared<torchscript::ScriptReader>(archive);
  try {
    torch::jit::Module module = torch::jit::load(reader, c10::Device(c10::kCPU), /*load_debug_files=*/false);
    reader->rethrow_failure();
    reader->verify_rest();
    return module;
  } catch (const Error&) {
    throw;
  } catch (const std::exception& error) {
    reader->rethrow_failure();
    throw Error(ErrorCode::bad_model, subject, explain_load_failure(error));
  }
}

// Runs `step`, which calls into LibTorch's passes: their exceptions become errors about the file.
template <typename Step>
auto guarded(const std::string& subject, const char* what, const Step& step) {
  try {
    return step();
  } catch (const Error&) {
    throw;
  } catch (const std::exception& error) {
    throw Error(ErrorCode::bad_model, subject,
                std::string("cannot be ") + what + " (" + jit::failure_text(error) +
                    "); load and save it again with a current PyTorch");
  }
}

bool prepares_images(const torch::jit::Module& module) {
  constexpr std::string_view kTransform = ".GeneralizedRCNNTransform";
  for (const auto& part : module.modules()) {
    const std::string name = part.type()->name()->qualifiedName();
    if (name.size() > kTransform.size() &&
        name.compare(name.size() - kTransform.size(), kTransform.size(), kTransform) == 0) {
      return true;
    }
  }
  return false;
}

// What a detector of torchvision finds: its heads say so.
Task task_of_detector(const torch::jit::Module& module) {
  const auto has = [](const torch::jit::Module& of, const char* name) {
    return of.hasattr(name) && of.attr(name).isModule();
  };
  if (!has(module, "roi_heads")) return Task::detect;
  const torch::jit::Module heads = module.attr("roi_heads").toModule();
  if (has(heads, "mask_predictor")) return Task::segment;
  return has(heads, "keypoint_predictor") ? Task::keypoints : Task::detect;
}

// forward with its calls inlined, self kept: what can be looked at when freezing did not work.
std::shared_ptr<Graph> inlined_forward(const torch::jit::Module& module) {
  std::shared_ptr<Graph> graph = module.get_method("forward").graph()->copy();
  torch::jit::Inline(*graph);
  torch::jit::ConstantPropagationImmutableTypes(graph);
  return graph;
}

std::int64_t count_elements(const Graph& graph) {
  std::int64_t count = 0;
  for (const torch::jit::Node* node : graph.nodes()) {
    if (node->kind() != c10::prim::Constant) continue;
    const auto value = torch::jit::toIValue(node->output());
    if (value.has_value() && value->isTensor()) count += value->toTensor().numel();
  }
  return count;
}

std::int64_t count_parameters(const torch::jit::Module& module, const Graph* graph) {
  std::int64_t count = 0;
  for (const at::Tensor& parameter : module.parameters()) count += parameter.numel();
  // A frozen file has no parameters left, only constants.
  return count == 0 && graph != nullptr ? count_elements(*graph) : count;
}

}  // namespace

void load_torchscript(const LoadRequest& request, Model::Impl& model) {
  const std::string& subject = request.source->name();
  const jit::Silence quiet;
  const torchscript::ScriptArchive archive =
      torchscript::read_script_archive(request.source, request.options.constant_memory_limit);
  torchscript::AllowRule rule;
  rule.trust = request.options.trust;
  for (const std::string& library : request.options.operator_libraries) {
    const std::vector<std::string> names = load_operator_library(library);
    rule.more.insert(rule.more.end(), names.begin(), names.end());
  }
  torchscript::require_operators(archive.code, subject, rule);
  torchscript::check_text(archive.code, subject, rule);
  register_operators();
  auto module = std::make_shared<torch::jit::Module>(load_checked(archive, subject));
  if (!module->find_method("forward").has_value()) {
    throw Error(ErrorCode::unsupported, subject, "has no method forward; save a module that has one");
  }
  const torchscript::Preparation prepared = guarded(subject, "checked", [&] {
    torchscript::check_program(*module, subject, rule);
    module->eval();
    return torchscript::prepare_program(*module, Device{}, subject,
                                        request.options.constant_memory_limit - archive.tensor_bytes);
  });
  if (prepared.devices) model.notes.emplace_back("devices that were written into the model now name the target device");

  std::string why_not;
  std::shared_ptr<Graph> graph =
      guarded(subject, "frozen", [&] { return torchscript::freeze_forward(*module, why_not); });
  const std::shared_ptr<Graph> readable =
      graph ? graph : guarded(subject, "read", [&] { return inlined_forward(*module); });
  if (graph) torchscript::retarget_devices(*graph, Device{});
  torchscript::check_allocations(*readable, subject);
  if (graph) {
    model.module = GraphModule{graph, module->_ivalue()->compilation_unit()};
  } else {
    model.module = ScriptModule{module};
    model.notes.push_back("runs through LibTorch's interpreter as it is, because " + why_not);
  }

  torchscript::ScriptInterface interface = torchscript::read_interface(
      module->get_method("forward").function().getSchema(), readable.get(), archive, prepares_images(*module), subject);
  const std::shared_ptr<const jit::Program> program = guarded(subject, "compiled", [&] {
    return graph ? std::make_shared<const jit::Program>(graph) : std::make_shared<const jit::Program>(*module);
  });
  torchscript::probe_interface(interface, readable.get(), archive, [&](std::vector<c10::IValue> inputs) {
    const c10::InferenceMode guard;
    return program->run(std::move(inputs));
  });
  model.signature = interface.signature;
  model.task = interface.task;
  if (interface.signature.preprocesses_itself) model.task = task_of_detector(*module);
  model.parameters = count_parameters(*module, graph.get());
  model.notes.insert(model.notes.end(), interface.notes.begin(), interface.notes.end());

  apply_facts(read_extra_files(*archive.zip, model.notes), model);
  take_input_size(interface.input_height, interface.input_width, "size of the traced example in the model file", model);
}

}  // namespace ptrun
