#include "loader/pickled_module.h"

#include <ATen/ATen.h>

#include <algorithm>

#include "core/text.h"
#include "graph/tensor_reader.h"
#include "loader/export_lines.h"
#include "loader/file_facts.h"
#include "loader/module_writer.h"
#include "loader/network_facts.h"
#include "loader/presets.h"
#include "loader/probe.h"
#include "ptrun/error.h"

namespace ptrun {
namespace {

// Channels that a layer takes, 0 where its weights and attributes do not say.
std::int64_t channels_of(const PickledModule& module) {
  const std::string& name = module.class_name();
  if (name.rfind("torch.nn.modules.", 0) != 0) return 0;
  for (const char* attribute : {"in_channels", "num_features", "num_channels"}) {
    const auto channels = module.attribute(attribute).integer();
    if (channels) return *channels;
  }
  return 0;
}

// What the first layer that names channels takes; nothing where none does. Layers before it may have changed the
// number, so it is a guess for the trial run.
std::optional<std::int64_t> input_channels(const PickledModule& root) {
  const std::function<std::int64_t(const PickledModule&, int)> search = [&](const PickledModule& module, int depth) {
    std::int64_t found = channels_of(module);
    for (const PickledModule& child : module.children()) {
      if (depth < 100 && found == 0) found = search(child, depth + 1);
    }
    return found;
  };
  const std::int64_t channels = search(root, 0);
  if (channels > 0 && channels <= 1024) return channels;
  return std::nullopt;
}

// Runs the graph once with each number of channels that it may be meant for.
ProbeResult probe_channels(const GraphModule& graph, const std::vector<std::int64_t>& candidates,
                           const PresetLayer& sizes, std::int64_t& channels) {
  ProbeResult first;
  for (const std::int64_t candidate : candidates) {
    ProbeResult result = probe_graph(graph, candidate, sizes.input_height.value_or(0), sizes.input_width.value_or(0));
    if (candidate == candidates.front() || result.ran) {
      channels = candidate;
      first = std::move(result);
    }
    // Other numbers of channels would take as much.
    if (first.ran || first.over_limit) break;
  }
  return first;
}

Dimension batch_dimension() {
  Dimension dimension;
  dimension.batch = true;
  return dimension;
}

OutputNode leaf(const std::vector<std::int64_t>& shape, std::string name) {
  OutputNode node;
  node.name = name;
  node.spec.name = std::move(name);
  if (shape.empty()) return node;
  node.spec.dimensions.push_back(batch_dimension());
  for (std::size_t i = 1; i < shape.size(); ++i) {
    Dimension dimension;
    // Two dimensions: classes. More: sizes that follow the input's, but for the classes of a class map.
    if (shape.size() == 2 || (shape.size() == 4 && i == 1 && node.name == "out")) dimension.size = shape[i];
    node.spec.dimensions.push_back(dimension);
  }
  return node;
}

// `channels`: 0 where the model takes any number.
Signature signature_of(const ProbeResult& probe, const Values& outputs, std::int64_t channels) {
  Signature signature;
  Dimension depth;
  if (channels > 0) depth.size = channels;
  TensorSpec images;
  images.name = "images";
  images.dimensions = {batch_dimension(), depth, Dimension{}, Dimension{}};
  signature.inputs.push_back(std::move(images));
  const auto name_of = [&](std::size_t i) { return i < outputs.names.size() ? outputs.names[i] : std::string(); };
  if (probe.outputs.size() == 1) {
    signature.output = leaf(probe.outputs[0], name_of(0));
    return signature;
  }
  signature.output.kind = OutputNode::Kind::tuple;
  for (std::size_t i = 0; i < probe.outputs.size(); ++i) {
    signature.output.children.push_back(leaf(probe.outputs[i], name_of(i)));
  }
  return signature;
}

// What the rules found out, and the family whose class stands in the tree; its preset is assumed below the rules'.
std::optional<ArchitectureMatch> take_facts(const ModuleFacts& facts, const archive::FoundWeights& found,
                                            const ModelTables& tables, Model::Impl& model) {
  model.file_preset = facts.file_preset;
  model.assumed_preset = facts.assumed_preset;
  model.architecture = facts.architecture;
  model.rotated_boxes = facts.rotated_boxes;
  model.keypoint_shape = facts.keypoint_shape;
  const Architecture* family = family_of(tables, found.classes);
  if (family == nullptr) return std::nullopt;
  auto match = family->recognise(Weights(found.table));
  if (match && facts.architecture.empty()) model.architecture = match->name;
  model.assumed_preset = preset_to_assume(*family, match.value_or(ArchitectureMatch{}), tables, false);
  return match;
}

// The first layer that says both sides: what the caller, the sidecar, the file and the rules know, in this order.
PresetLayer trial_size(const LoadRequest& request, const ModelFacts& inside, const ModuleFacts& facts) {
  PresetLayer sizes;
  for (const PresetLayer* layer :
       {&request.options.preset, &request.sidecar.preset, &inside.preset, &facts.file_preset, &facts.assumed_preset}) {
    if (!layer->input_height || !layer->input_width) continue;
    sizes = *layer;
    break;
  }
  // A small size that the rules know to fit.
  if (facts.trial_size) sizes.input_height = sizes.input_width = facts.trial_size;
  return sizes;
}

Values write_network(ModuleWriter& writer, const ModuleSource& source, const LoadRequest& request,
                     const archive::FoundWeights& found) {
  try {
    return write_tree(writer, source);
  } catch (const Error& error) {
    if (error.code() != ErrorCode::unsupported) throw;
    const ExportRequest line{request.source->name(), found.module_class, found.where, true};
    throw Error(error.code(), error.subject(), error.problem() + "; " + export_line(line));
  }
}

}  // namespace

void load_pickled_module(const LoadRequest& request, const std::shared_ptr<const archive::TensorFile>& file,
                         const archive::FoundWeights& found, ModelFacts inside, Model::Impl& model) {
  const std::unique_ptr<const ModuleSource> source = archive::read_module_tree(file, found.node);
  TensorReader reader(file, request.options.constant_memory_limit);
  const TensorProvider provider = [&](const WeightTable::Entry& entry) {
    return reader.read(entry.tensor, entry.name);
  };
  ModuleWriter writer = make_module_writer(*source, *request.options.models, provider, provider);
  const Values outputs = write_network(writer, *source, request, found);
  GraphModule graph = finish(writer.graph());
  ModuleFacts& facts = writer.facts();

  const std::optional<std::int64_t> said =
      facts.input_channels ? facts.input_channels : input_channels(archive::root_module(*source));
  const PresetLayer sizes = trial_size(request, inside, facts);
  std::vector<std::int64_t> candidates = {said.value_or(3)};
  for (const std::int64_t usual : {3, 1, 4}) {
    if (usual != candidates.front()) candidates.push_back(usual);
  }
  std::int64_t channels = candidates.front();
  const ProbeResult probe = probe_channels(graph, candidates, sizes, channels);
  if (probe.over_limit) {
    throw Error(ErrorCode::limit_exceeded, request.source->name(),
                probe.failure +
                    ", expected a network of images; where it needs as much, export it with "
                    "torch.jit.trace");
  }
  if (!probe.ran) {
    throw Error(ErrorCode::bad_model, request.source->name(),
                "its modules do not fit together for " + std::to_string(channels) +
                    " channels of any usual size (LibTorch says \"" + probe.failure +
                    "\"), expected a model that runs in Python as it was saved; where it takes one size alone, give it "
                    "with --input-size HEIGHTxWIDTH");
  }
  model.signature = signature_of(probe, outputs, said || channels != 3 ? channels : 0);
  const bool rows = probe.outputs.size() == 1 && probe.outputs[0].size() == 2 && probe.outputs[0][1] > 1;
  model.task = facts.task.value_or(rows ? Task::classify : Task::tensors);
  model.kind = "pickled_module";
  model.parameters = source->table.parameters();
  model.module = std::move(graph);
  take_facts(facts, found, *request.options.models, model);
  if (probe.fixed_size) take_input_size(probe.height, probe.width, "size that the model's layers fit", model);
  apply_facts(std::move(inside), model);
  model.notes.insert(model.notes.end(), found.notes.begin(), found.notes.end());
}

PickledSummary describe_pickled_module(const std::shared_ptr<const archive::TensorFile>& file,
                                       const archive::FoundWeights& found, const ModelTables& tables,
                                       Model::Impl& model) {
  PickledSummary summary;
  try {
    const std::unique_ptr<const ModuleSource> source = archive::read_module_tree(file, found.node);
    TensorReader reader(file, 64ULL << 20U);
    ModuleWriter writer = make_module_writer(
        *source, tables, {}, [&](const WeightTable::Entry& entry) { return reader.read(entry.tensor, entry.name); });
    write_tree(writer, *source);
    summary.task = writer.facts().task;
    const auto match = take_facts(writer.facts(), found, tables, model);
    if (match) {
      summary.task = match->task;
      model.signature = network_signature(*match);
    }
  } catch (const Error& error) {
    summary.refusal = error.problem();
  }
  return summary;
}

}  // namespace ptrun
