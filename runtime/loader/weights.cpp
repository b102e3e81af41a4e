// Files that hold weights alone: the network is recognised by names and shapes, and written as a graph.
#include <ATen/ATen.h>

#include <algorithm>

#include "archive/weight_table.h"
#include "core/text.h"
#include "graph/builder_impl.h"
#include "graph/tensor_reader.h"
#include "loader/file_facts.h"
#include "loader/loader.h"
#include "loader/network_facts.h"
#include "loader/pickled_module.h"
#include "ptrun/error.h"

namespace ptrun {
namespace {

std::string known_families(const ModelTables& tables) {
  std::vector<std::string> names;
  for (const Architecture& architecture : tables.architectures) names.emplace_back(architecture.family);
  return join_some(names, names.size());
}

Value write_network(GraphBuilder& builder, const Architecture& architecture, const Weights& weights) {
  const Value x = builder.input("images");
  const Value logits = architecture.build(builder, weights, x);
  builder.output(logits, "logits");
  return logits;
}

std::string counted(const std::vector<std::string>& names, const std::string& what) {
  return std::to_string(names.size()) + " " + what + " (" + join_some(names, 5) + ")";
}

std::string describe(const WeightDifferences& differences) {
  std::vector<std::string> parts;
  if (!differences.missing.empty()) parts.push_back(counted(differences.missing, "missing"));
  if (!differences.left_over.empty()) parts.push_back(counted(differences.left_over, "left over"));
  if (!differences.mismatched.empty()) parts.push_back(counted(differences.mismatched, "of another shape"));
  std::string text;
  for (const std::string& part : parts) text += (text.empty() ? "" : ", ") + part;
  return text;
}

// The differences between the file's names and those of `architecture`, from names and shapes alone.
WeightDifferences compare(const WeightTable& table, const Architecture& architecture) {
  GraphBuilder builder = make_builder(table, {});
  write_network(builder, architecture, Weights(table));
  return differences(builder);
}

constexpr const char* kExportHint =
    "export the model itself in Python: torch.jit.trace(model.eval(), torch.rand(1, 3, 224, 224)).save(\"model.pt\")";

[[noreturn]] void fail_unknown(const LoadRequest& request, const WeightTable& table) {
  const ModelTables& tables = *request.options.models;
  const Architecture* nearest = nullptr;
  WeightDifferences best;
  for (const Architecture& architecture : tables.architectures) {
    WeightDifferences found = compare(table, architecture);
    if (found.used > best.used) {
      nearest = &architecture;
      best = std::move(found);
    }
  }
  // A handful of names in common (fc.weight) is no likeness.
  if (nearest != nullptr && best.used * 3 >= table.entries().size()) {
    throw Error(ErrorCode::bad_model, request.source->name(),
                "its weights are no network that ptrun knows; the nearest family is " + std::string(nearest->family) +
                    ", with " + describe(best) + "; " + kExportHint);
  }
  std::vector<std::string> names;
  for (const WeightTable::Entry& entry : table.entries()) names.push_back(printable(entry.name));
  throw Error(ErrorCode::unsupported, request.source->name(),
              "holds " + std::to_string(names.size()) + " weights (" + join_some(names, 5) +
                  ") of no network that ptrun knows (" + known_families(tables) + "); " + kExportHint);
}

// A family that somebody gave, and how to take it back.
struct Wish {
  std::string architecture;
  std::string subject;  // what gives it
  std::string undo;
};

Wish wish_of(const LoadRequest& request, const ModelFacts& inside) {
  if (!request.options.architecture.empty()) return {request.options.architecture, "architecture", "leave --arch out"};
  for (const ModelFacts* facts : {&request.sidecar, &inside}) {
    if (facts->architecture.empty()) continue;
    return {facts->architecture, facts->preset.source, "remove \"architecture\" from " + facts->preset.source};
  }
  return {};
}

// The weights must be the family's, and the variant's.
Recognised forced(const LoadRequest& request, const Wish& wish, const WeightTable& table) {
  const std::string& name = wish.architecture;
  std::vector<std::string> known;
  for (const Architecture& architecture : request.options.models->architectures) {
    const auto& variants = architecture.variants;
    for (const std::string_view variant : variants) known.emplace_back(variant);
    if (std::find(variants.begin(), variants.end(), name) == variants.end()) continue;
    const auto match = architecture.recognise(Weights(table));
    if (!match) {
      const WeightDifferences found = compare(table, architecture);
      throw Error(ErrorCode::bad_model, request.source->name(),
                  "its weights are not those of " + name +
                      (found.empty() ? std::string(": the structure is another") : ": " + describe(found)) + "; " +
                      wish.undo + " to have the network recognised");
    }
    if (match->name != name && name != architecture.family) {
      throw Error(ErrorCode::bad_model, request.source->name(),
                  "its weights are those of " + match->name + ", not of " + name + "; " + wish.undo);
    }
    return {&architecture, *match};
  }
  const std::string near = nearest_match(name, known);
  throw Error(ErrorCode::invalid_argument, wish.subject,
              printable(name) + " was found, expected a network's name, see: ptrun models" +
                  (near.empty() ? std::string() : "; did you mean " + near + "?"));
}

}  // namespace

void load_weights(const LoadRequest& request, Model::Impl& model) {
  const auto file = archive::TensorFile::open(request.source, request.kind);
  const archive::FoundWeights found = archive::find_weights(*file);
  ModelFacts inside = read_file_facts(*file, found);
  const Wish wish = wish_of(request, inside);
  if (found.whole_module && wish.architecture.empty()) {
    return load_pickled_module(request, file, found, std::move(inside), model);
  }
  std::optional<Recognised> recognised;
  recognised = wish.architecture.empty() ? recognise(*request.options.models, found.table, request.config.architecture)
                                         : forced(request, wish, found.table);
  if (!recognised) fail_unknown(request, found.table);
  const Architecture& architecture = *recognised->architecture;

  TensorReader reader(file, request.options.constant_memory_limit);
  GraphBuilder builder =
      make_builder(found.table, [&](const WeightTable::Entry& entry) { return reader.read(entry.tensor, entry.name); });
  write_network(builder, architecture, Weights(found.table));
  const WeightDifferences found_differences = differences(builder);
  if (!found_differences.empty()) {
    throw Error(ErrorCode::bad_model, request.source->name(),
                "its weights look like " + recognised->match.name + " (family " + std::string(architecture.family) +
                    "), but there are " + describe(found_differences) + "; " + kExportHint);
  }
  model.module = finish(builder);
  if (request.kind == archive::Kind::torch_save_zip || request.kind == archive::Kind::torch_save_legacy) {
    model.kind = found.whole_module ? "pickled_module" : found.where.empty() ? "state_dict" : "checkpoint";
  }
  fill_network_facts(architecture, recognised->match, *request.options.models, request.config.architecture, model);
  if (found.whole_module) model.same_keys.clear();  // the class is written in the file
  model.parameters = found.table.parameters();
  apply_facts(std::move(inside), model);
  model.notes.insert(model.notes.end(), found.notes.begin(), found.notes.end());
}

}  // namespace ptrun
