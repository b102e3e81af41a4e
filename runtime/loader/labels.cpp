#include "loader/labels.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "core/text.h"
#include "loader/class_map_output.h"
#include "loader/label_names.h"
#include "ptrun/error.h"

namespace ptrun {
namespace {

using nlohmann::json;

constexpr std::uint64_t kMaxLabelBytes = 16ULL << 20U;
constexpr std::string_view kAssumedSet = "imagenet1k";
constexpr std::string_view kAssumedMapSet = "voc";  // of segmentation networks

[[noreturn]] void fail(const archive::ByteSource& source, const std::string& problem) {
  throw Error(ErrorCode::invalid_argument, source.name(), problem);
}

// Other encodings are told apart from binary files, because a word about them helps.
void require_utf8(const archive::ByteSource& source, std::string_view text) {
  const std::string_view start = text.substr(0, 2);
  if (start == "\xFF\xFE" || start == "\xFE\xFF") {
    fail(source, "is UTF-16 text, expected UTF-8; convert it: iconv -f UTF-16 -t UTF-8");
  }
  if (text.find('\0') != std::string_view::npos) fail(source, "is a binary file, expected names of classes as text");
  if (is_utf8(text)) return;
  std::size_t line = 1;
  for (std::size_t at = 0; at < text.size(); ++line) {
    const std::size_t end = std::min(text.find('\n', at), text.size());
    if (!is_utf8(text.substr(at, end - at))) break;
    at = end + 1;
  }
  fail(source,
       "line " + std::to_string(line) +
           " is not UTF-8, expected UTF-8 text; convert it, from Latin-1 for example: iconv -f ISO-8859-1 -t UTF-8");
}

std::vector<std::string> from_lines(const archive::ByteSource& source, std::string_view text) {
  std::vector<std::string> names;
  while (!text.empty()) {
    const std::size_t end = text.find('\n');
    std::string_view line = text.substr(0, end);
    text = end == std::string_view::npos ? std::string_view() : text.substr(end + 1);
    if (!line.empty() && line.back() == '\r') line.remove_suffix(1);
    if (names.size() == kMaxLabels) {
      throw Error(ErrorCode::limit_exceeded, source.name(), "holds more than a million labels");
    }
    names.emplace_back(line);
  }
  while (!names.empty() && names.back().empty()) names.pop_back();
  return names;
}

std::int64_t classes_of(const Signature& signature) {
  const OutputNode& output = signature.output;
  if (const OutputNode* map = class_map_entry(output)) {
    return map->spec.dimensions.size() == 4 ? map->spec.dimensions[1].size : -1;
  }
  if (output.kind != OutputNode::Kind::tensor || output.spec.dimensions.size() != 2) return -1;
  return output.spec.dimensions[1].size;
}

const LabelSet* find_set(const ModelTables& tables, std::string_view name) {
  for (const LabelSet& set : tables.label_sets) {
    if (set.name == name) return &set;
  }
  return nullptr;
}

std::shared_ptr<const archive::ByteSource> open_labels(const std::string& path) {
  try {
    return archive::open_file(path);
  } catch (const Error& error) {
    // The archive's words speak of a model file.
    const std::string& problem = error.problem();
    throw Error(ErrorCode::invalid_argument, error.subject(),
                problem.substr(0, problem.find(", expected")) + ", expected a file with one label a line, or JSON");
  }
}

}  // namespace

Labels read_labels(const archive::ByteSource& source) {
  if (source.size() > kMaxLabelBytes) {
    throw Error(ErrorCode::limit_exceeded, source.name(),
                "holds " + human_bytes(source.size()) + ", at most " + human_bytes(kMaxLabelBytes) +
                    " are accepted for a file of labels");
  }
  const std::string bytes = source.read_string(0, static_cast<std::size_t>(source.size()));
  std::string_view text = bytes;
  if (text.substr(0, 3) == "\xEF\xBB\xBF") text.remove_prefix(3);
  require_utf8(source, text);
  Labels labels;
  labels.source = "file " + source.name();
  const std::size_t first = text.find_first_not_of(" \t\r\n");
  const bool looks_like_json = first != std::string_view::npos && (text[first] == '{' || text[first] == '[');
  const json root = looks_like_json ? json::parse(text, nullptr, false) : json();
  if (looks_like_json && !root.is_discarded()) {
    std::string problem;
    labels.names = label_names(root, problem);
    if (!problem.empty()) {
      if (root.size() > kMaxLabels) throw Error(ErrorCode::limit_exceeded, source.name(), problem);
      fail(source, problem);
    }
  } else if (looks_like_json && source.name().size() > 5 && source.name().substr(source.name().size() - 5) == ".json") {
    fail(source, "is not well-formed JSON");
  } else {
    labels.names = from_lines(source, text);
  }
  if (labels.names.empty()) fail(source, "holds no labels; write one name a line");
  return labels;
}

void resolve_labels(const LoadOptions& options, const ModelFacts& sidecar, const PublishedWeights* published,
                    Model::Impl& model) {
  const std::int64_t classes = classes_of(model.signature);
  const auto fits = [&](std::size_t count) { return classes < 0 || static_cast<std::int64_t>(count) == classes; };
  if (!options.labels.empty() || !options.labels_file.empty()) {
    Labels labels = options.labels.empty() ? read_labels(*open_labels(options.labels_file))
                                           : Labels{options.labels, "LoadOptions::labels"};
    if (!fits(labels.names.size())) {
      throw Error(ErrorCode::invalid_argument, options.labels.empty() ? options.labels_file : labels.source,
                  "holds " + std::to_string(labels.names.size()) + " labels, but the model has " +
                      std::to_string(classes) + " classes; give one label for each class, in the order of the outputs");
    }
    model.labels = std::move(labels);
    return;
  }
  if (!sidecar.labels.names.empty()) model.labels = sidecar.labels;
  if (!model.labels.names.empty()) {
    if (fits(model.labels.names.size())) return;
    model.notes.push_back("the " + std::to_string(model.labels.names.size()) + " labels of " + model.labels.source +
                          " do not fit " + std::to_string(classes) + " classes and are not used");
    model.labels = {};
  }
  const bool maps = model.task == Task::segment && class_map_entry(model.signature.output) != nullptr;
  if (model.task != Task::classify && !maps) return;
  const LabelSet* set = published != nullptr ? find_set(*options.models, published->labels) : nullptr;
  const bool assumed = set == nullptr;
  if (assumed) set = find_set(*options.models, maps ? kAssumedMapSet : kAssumedSet);
  if (set == nullptr || classes < 0 || !fits(set->size)) return;
  model.labels = set->load();
  model.labels_assumed = assumed;
  if (assumed) {
    model.labels.source += " (assumed)";
    model.notes.push_back("labels are assumed to be " + std::string(maps ? "PASCAL VOC's" : "ImageNet's") +
                          ", because the model has " + std::to_string(classes) +
                          " classes; give --labels FILE when they are others");
  }
}

}  // namespace ptrun
