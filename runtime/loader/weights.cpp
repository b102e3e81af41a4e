// Files that hold weights alone: the network is recognised by names and shapes, and written as a graph.
#include <ATen/ATen.h>

#include <algorithm>

#include "archive/inspect_archive.h"
#include "archive/weight_table.h"
#include "core/text.h"
#include "graph/builder_impl.h"
#include "graph/tensor_reader.h"
#include "loader/export_lines.h"
#include "loader/file_facts.h"
#include "loader/loader.h"
#include "loader/network_facts.h"
#include "loader/pickled_module.h"
#include "ptrun/error.h"

namespace ptrun {
namespace {

struct Recognised {
  const Architecture* architecture = nullptr;
  ArchitectureMatch match;
};

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

// --arch: the family is given; the weights must be its, and the variant's.
Recognised forced(const LoadRequest& request, const WeightTable& table) {
  const std::string& name = request.options.architecture;
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
                      (found.empty() ? std::string(": the structure is another") : ": " + describe(found)) +
                      "; leave --arch out to have the network recognised");
    }
    if (match->name != name && name != architecture.family) {
      throw Error(ErrorCode::bad_model, request.source->name(),
                  "its weights are those of " + match->name + ", not of " + name + "; leave --arch out");
    }
    return {&architecture, *match};
  }
  const std::string near = nearest_match(name, known);
  throw Error(ErrorCode::invalid_argument, "architecture " + printable(name),
              "is not known" + (near.empty() ? std::string() : "; did you mean " + near + "?") +
                  "; known: " + join_some(known, known.size()));
}

Recognised recognise(const LoadRequest& request, const WeightTable& table) {
  if (!request.options.architecture.empty()) return forced(request, table);
  const Weights weights(table);
  for (const Architecture& architecture : request.options.models->architectures) {
    if (auto match = architecture.recognise(weights)) return {&architecture, std::move(*match)};
  }
  fail_unknown(request, table);
}

// The family that computes exactly what the pickled class does, when it recognises the weights as well.
std::optional<Recognised> same_class(const LoadRequest& request, const archive::FoundWeights& found) {
  const Weights weights(found.table);
  for (const Architecture& family : request.options.models->architectures) {
    const auto& classes = family.module_classes;
    if (std::find(classes.begin(), classes.end(), found.module_class) == classes.end()) continue;
    if (auto match = family.recognise(weights)) return Recognised{&family, std::move(*match)};
  }
  return std::nullopt;
}

// A pickled module's forward function is Python code outside the file. The rules of the classes in its tree come
// first: they see what was changed by hand (another head, another activation), names and shapes do not.
bool load_by_rules(const LoadRequest& request, const std::shared_ptr<const archive::TensorFile>& file,
                   const archive::FoundWeights& found, Model::Impl& model) {
  try {
    load_pickled_module(request, file, found, model);
    return true;
  } catch (const Error& error) {
    if (error.code() != ErrorCode::unsupported) throw;
    if (same_class(request, found)) return false;
    const ExportRequest line{request.source->name(), found.module_class, found.where, true};
    throw Error(error.code(), error.subject(), error.problem() + "; " + export_line(line));
  }
}

}  // namespace

void load_weights(const LoadRequest& request, Model::Impl& model) {
  const auto file = archive::TensorFile::open(request.source, request.kind);
  const archive::FoundWeights found = archive::find_weights(*file);
  const bool by_rules = found.whole_module && request.options.architecture.empty();
  if (by_rules && load_by_rules(request, file, found, model)) return;
  const Recognised recognised = by_rules ? *same_class(request, found) : recognise(request, found.table);
  const Architecture& architecture = *recognised.architecture;

  TensorReader reader(file, request.options.constant_memory_limit);
  GraphBuilder builder =
      make_builder(found.table, [&](const WeightTable::Entry& entry) { return reader.read(entry.tensor, entry.name); });
  write_network(builder, architecture, Weights(found.table));
  const WeightDifferences found_differences = differences(builder);
  if (!found_differences.empty()) {
    throw Error(ErrorCode::bad_model, request.source->name(),
                "its weights look like " + recognised.match.name + " (family " + std::string(architecture.family) +
                    "), but there are " + describe(found_differences) + "; " + kExportHint);
  }
  model.module = finish(builder);
  if (request.kind == archive::Kind::torch_save_zip || request.kind == archive::Kind::torch_save_legacy) {
    model.kind = found.whole_module ? "pickled_module" : found.where.empty() ? "state_dict" : "checkpoint";
  }
  fill_network_facts(architecture, recognised.match, *request.options.models, model);
  if (found.whole_module) model.same_keys.clear();  // the class is written in the file
  model.parameters = found.table.parameters();
  apply_facts(read_file_facts(*file, found), model);
  model.notes = found.notes;
}

}  // namespace ptrun
