#include "archive/inspect_archive.h"

#include <algorithm>
#include <array>
#include <map>

#include "archive/fail.h"
#include "archive/foreign_names.h"
#include "archive/inspect_programs.h"
#include "archive/module_tree.h"

namespace ptrun::archive {
namespace {

using Type = PickleNode::Type;

// Where TensorFile's facts stand in the file.
std::string fact_source(const std::string& name, Kind kind) {
  if (kind == Kind::safetensors) return "header __metadata__";
  if (kind == Kind::shard_index) return "index";
  if (kind == Kind::torch_save_legacy) return "legacy header";
  constexpr std::array<std::pair<std::string_view, std::string_view>, 4> kRecords = {{
      {"format version", "record version"},
      {"byte order", "record byteorder"},
      {"serialization id", "record .data/serialization_id"},
      {"storage alignment", "record .storage_alignment"},
  }};
  for (const auto& [fact, record] : kRecords) {
    if (fact == name) return std::string(record);
  }
  return "archive";
}

// "312 float32, 52 int64", most frequent first.
std::string counted(const std::map<std::string, std::size_t>& counts) {
  std::vector<std::pair<std::string, std::size_t>> order(counts.begin(), counts.end());
  std::stable_sort(order.begin(), order.end(), [](const auto& a, const auto& b) { return a.second > b.second; });
  std::string text;
  for (const auto& [name, count] : order) text += text_of(text.empty() ? "" : ", ", count, ' ', name);
  return text;
}

bool contains(const std::vector<std::string>& texts, const std::string& text) {
  return std::find(texts.begin(), texts.end(), text) != texts.end();
}

std::string scalar_text(const Pickle& data, NodeId id) {
  if (data.is(id, Type::text)) return printable(data.text(id), 100);
  if (data.is(id, Type::integer)) return std::to_string(data[id].integer);
  if (data.is(id, Type::real)) return text_of(data[id].real);
  return {};
}

class Inspector {
 public:
  Inspector(std::shared_ptr<const ByteSource> source, const Limits& limits)
      : source_(std::move(source)), limits_(limits) {}

  ArchiveInspection run(bool verify) {
    found_.kind = detect(*source_);
    found_.word = info(found_.kind).word;
    if (found_.kind == Kind::torch_save_zip || found_.kind == Kind::torch_save_legacy ||
        found_.kind == Kind::safetensors || found_.kind == Kind::shard_index) {
      read_tensor_file();
      if (verify) verify_tensor_file();
    } else if (info(found_.kind).remedy.empty()) {
      const auto zip = ZipArchive::open(source_, limits_);
      inspect_program(*zip, found_.kind, limits_, found_);
      if (verify) verify_zip(*zip);
    }
    return std::move(found_);
  }

 private:
  void add(std::string name, std::string value, std::string source) {
    if (!value.empty()) found_.findings.push_back({std::move(name), std::move(value), std::move(source)});
  }

  bool has_pickle() const { return found_.kind == Kind::torch_save_zip || found_.kind == Kind::torch_save_legacy; }

  void read_tensor_file() {
    found_.file = TensorFile::open(source_, found_.kind, limits_);
    const TensorFile& file = *found_.file;
    for (const auto& [name, value] : file.facts()) {
      add(name, printable(value, 200), fact_source(name, found_.kind));
    }
    if (has_pickle()) add("pickle protocol", std::to_string(file.data().protocol), "pickle");
    add_producer();
    try {
      found_.weights = find_weights(file);
    } catch (const Error& error) {
      if (error.code() != ErrorCode::bad_model) throw;
      found_.no_weights = error.problem();
    }
    if (found_.weights) {
      add_weights(*found_.weights);
    } else if (has_pickle()) {
      found_.word = file.tensor_at(file.data().root) ? "tensor" : "pickled_value";
    }
    add_totals();
    if (has_pickle()) add_foreign_names();
    std::string where;
    const NodeId module = found_.weights ? found_.weights->node : kNoNode;
    const std::vector<std::string> names = find_class_names(file.data(), module, where);
    if (!names.empty()) {
      add("class names", text_of(names.size(), ": ", printable(join_some(names, 5), 300)), "key " + in_quotes(where));
    }
  }

  // Plain values that trainers write beside the weights.
  void add_producer() {
    const Pickle& data = found_.file->data();
    for (const char* key : {"pytorch-lightning_version", "arch", "version", "date", "epoch", "global_step"}) {
      add(key, scalar_text(data, data.lookup(data.root, key)), "key " + in_quotes(key));
    }
  }

  void add_weights(const FoundWeights& weights) {
    if (has_pickle()) {
      found_.word = weights.whole_module ? "pickled_module" : weights.where.empty() ? "state_dict" : "checkpoint";
    }
    if (!weights.where.empty()) add("weights", "under key " + in_quotes(weights.where), "pickle keys");
    if (!weights.stripped_prefix.empty()) add("prefix removed", printable(weights.stripped_prefix), "tensor names");
    if (weights.whole_module) add("module class", printable(weights.module_class), "pickle");
    for (const std::string& note : weights.notes) add("note", note, "pickle");
    for (std::size_t i = 0; i < weights.classes.size(); ++i) {
      const std::string& place = weights.class_places[i];
      found_.classes.push_back(printable(weights.classes[i]) + (place.empty() ? "" : " at " + printable(place)));
    }
    for (const WeightTable::Entry& entry : weights.table.entries()) {
      found_.tensors.push_back({entry.name, entry.dtype, entry.shape});
    }
    found_.parameters += weights.table.parameters();
  }

  // Beside the classes of the module, which are listed with their places.
  void add_foreign_names() {
    std::vector<std::string> others;
    std::vector<std::string> calls;
    for (const std::string& name : foreign_names(found_.file->data())) {
      const bool of_module =
          found_.weights && (name == found_.weights->module_class || contains(found_.weights->classes, name));
      if (!of_module) others.push_back(printable(name, 100));
      if (runs_code(name)) calls.push_back(printable(name, 100));
    }
    add("other names", join_some(others, 5), "pickle");
    if (calls.empty()) return;
    add("note",
        "the pickle tells Python to call " + join_some(calls, 5) +
            ", which no model needs: ptrun never calls anything, "
            "Python's torch.load(weights_only=False) would",
        "pickle");
  }

  void add_totals() {
    std::map<std::string, std::size_t> dtypes;
    std::map<std::string, std::size_t> layouts;
    std::map<std::string, std::size_t> locations;
    for (const TensorInfo& tensor : found_.file->tensors()) {
      ++dtypes[to_string(tensor.dtype)];
      if (tensor.layout != TensorLayout::strided) ++layouts[to_string(tensor.layout)];
    }
    std::uint64_t bytes = 0;
    for (const Storage& storage : found_.file->storages()) {
      bytes += storage.bytes;
      ++locations[printable(storage.location, 40)];
    }
    add("tensors in the file", counted(dtypes), "tensor headers");
    add("layouts", counted(layouts), "tensor headers");
    add("tensor bytes", human_bytes(bytes), "storage headers");
    if (has_pickle()) add("saved from devices", counted(locations), "storage locations");
  }

  void verify_tensor_file() {
    found_.file->verify();
    if (found_.kind == Kind::torch_save_zip) return verify_zip(*ZipArchive::open(source_, limits_));
    add("check sums", "none: this format records no CRC", "whole file");
  }

  void verify_zip(const ZipArchive& zip) {
    std::size_t checked = 0;
    for (const ZipEntry& entry : zip.entries()) {
      if (found_.file == nullptr) zip.verify(entry);
      if (entry.crc32 != 0 || entry.size == 0) ++checked;
    }
    add("check sums", text_of(checked, " of ", zip.entries().size(), " records have a CRC-32, all right"),
        "whole file");
  }

  std::shared_ptr<const ByteSource> source_;
  const Limits& limits_;
  ArchiveInspection found_;
};

}  // namespace

ArchiveInspection inspect_archive(std::shared_ptr<const ByteSource> source, bool verify, const Limits& limits) {
  return Inspector(std::move(source), limits).run(verify);
}

}  // namespace ptrun::archive
