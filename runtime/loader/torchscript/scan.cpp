#include "loader/torchscript/scan.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <string_view>

#include "archive/fail.h"
#include "archive/pickle.h"
#include "archive/torch_objects.h"
#include "core/text.h"
#include "ptrun/error.h"

namespace ptrun::torchscript {
namespace {

using archive::NodeId;
using archive::Pickle;
using Type = archive::PickleNode::Type;

// torch/csrc/jit/serialization reads these (pytorch/pytorch:caffe2/serialize/versions.h, 2.11 and 2.15 alike).
constexpr int kOldestFormat = 1;
constexpr int kNewestFormat = 10;
constexpr std::uint64_t kCodeBytes = 64ULL << 20U;  // all code/ records; a scripted detector has less than 1 MB
constexpr std::uint64_t kSmallRecord = 4096;        // version, byteorder

// Callables that TorchScript's own pickler writes and LibTorch's unpickler knows.
constexpr std::array<std::string_view, 13> kCallables = {"torch._utils._rebuild_tensor_v2",
                                                         "torch._utils._rebuild_qtensor",
                                                         "torch._utils._rebuild_parameter",
                                                         "torch.jit._pickle.build_intlist",
                                                         "torch.jit._pickle.build_tensorlist",
                                                         "torch.jit._pickle.build_doublelist",
                                                         "torch.jit._pickle.build_boollist",
                                                         "torch.jit._pickle.build_tensor_from_id",
                                                         "torch.jit._pickle.restore_type_tag",
                                                         "collections.OrderedDict",
                                                         "torch.device",
                                                         "torch.Size",
                                                         "builtins.complex"};
// Classes with native state methods that LibTorch registers; the packed weights of quantised layers.
constexpr std::array<std::string_view, 5> kNativeClasses = {
    "__torch__.torch.classes.quantized.LinearPackedParamsBase",
    "__torch__.torch.classes.quantized.Conv2dPackedParamsBase",
    "__torch__.torch.classes.quantized.Conv3dPackedParamsBase",
    "__torch__.torch.classes.quantized.EmbeddingPackedParamsBase", "__torch__.torch.classes.rnn.CellParamsBase"};
constexpr std::string_view kNativePrefix = "__torch__.torch.classes.";

template <typename Names>
bool is_one_of(const Names& names, std::string_view name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

int read_version(const archive::ZipArchive& zip) {
  const archive::ZipEntry* entry = zip.find(".data/version");
  if (entry == nullptr) entry = zip.find("version");
  const std::string& subject = zip.source().name();
  if (entry == nullptr) archive::fail_bad(subject, "has no record 'version', expected one; the file is damaged");
  const std::string text = zip.read(*entry, kSmallRecord);
  int version = 0;
  const auto parsed = std::from_chars(text.data(), text.data() + text.size(), version);
  if (parsed.ec != std::errc()) {
    archive::fail_bad(subject, "record 'version' holds ", archive::in_quotes(text), ", expected a number");
  }
  if (version < kOldestFormat || version > kNewestFormat) {
    archive::fail(ErrorCode::unsupported, subject, "is TorchScript of format version ", version, ", expected ",
                  kOldestFormat, " to ", kNewestFormat, " (PyTorch 1.3 to 2.15)",
                  version > kNewestFormat ? "; it was saved by a newer PyTorch: export the model with an older one, or "
                                            "build ptrun with a newer LibTorch"
                                          : "; load and save the model again with a current PyTorch");
  }
  return version;
}

void require_little_endian(const archive::ZipArchive& zip) {
  const archive::ZipEntry* entry = zip.find("byteorder");
  if (entry == nullptr) return;
  const std::string order = zip.read(*entry, kSmallRecord);
  if (order != "little") {
    archive::fail(ErrorCode::unsupported, zip.source().name(), "byte order ", archive::in_quotes(order),
                  ", expected 'little'; save the model on a little-endian machine");
  }
}

void check_class(const Pickle& data, NodeId global, const std::string& subject, const std::string& part) {
  const std::string name = data.global_name(global);
  const bool native = name.compare(0, kNativePrefix.size(), kNativePrefix) == 0;
  if (native && !is_one_of(kNativeClasses, name)) {
    archive::fail(ErrorCode::unsupported, subject, part, ": holds an object of the native class ",
                  archive::in_quotes(name), ", which ptrun does not load; export the model without it");
  }
  const bool script = name.compare(0, 10, "__torch__.") == 0;
  if (!script && !is_one_of(kCallables, name)) {
    archive::fail_bad(subject, part, ": calls ", archive::in_quotes(name),
                      ", which TorchScript files never do; the file is made to do harm, refuse it");
  }
}

// Bytes of all storages of one pickle and its records (`folder` is "data/" or "constants/").
std::uint64_t check_pickle(const archive::ZipArchive& zip, const std::string& part, const std::string& folder) {
  const archive::Limits limits;
  const std::string& subject = zip.source().name();
  const Pickle data = archive::read_pickle(zip.read(zip.require(part), limits.pickle_bytes), subject, part, limits);
  for (NodeId id = 0; id < data.nodes.size(); ++id) {
    if (data.is(id, Type::reduce) || data.is(id, Type::object)) check_class(data, data.callable(id), subject, part);
  }
  const archive::TorchObjects objects = archive::read_torch_objects(data, subject, part, limits);
  for (const archive::TensorInfo& tensor : objects.tensors) {
    const bool plain = tensor.layout == archive::TensorLayout::strided ||
                       tensor.layout == archive::TensorLayout::quantized_per_tensor ||
                       tensor.layout == archive::TensorLayout::quantized_per_channel;
    if (!plain) {
      archive::fail(ErrorCode::unsupported, subject, part, ": holds a tensor of layout ",
                    archive::to_string(tensor.layout), ", expected dense tensors");
    }
  }
  std::uint64_t total = 0;
  for (const archive::Storage& storage : objects.storages) {
    const archive::ZipEntry& entry = zip.require(folder + storage.key);
    if (entry.size != storage.bytes) {
      archive::fail_bad(subject, "record ", folder, storage.key, " holds ", entry.size, " bytes, expected ",
                        storage.bytes, " for the tensors in it; the file is damaged, download or save it again");
    }
    total += storage.bytes;
  }
  return total;
}

std::vector<CodeFile> read_code(const archive::ZipArchive& zip) {
  std::vector<CodeFile> code;
  std::uint64_t total = 0;
  for (const archive::ZipEntry& entry : zip.entries()) {
    const std::string_view name = zip.short_name(entry);
    if (name.substr(0, 5) != "code/" || name.size() < 8 || name.substr(name.size() - 3) != ".py") continue;
    total += entry.size;
    if (total > kCodeBytes) {
      archive::fail_limit(zip.source().name(), "the code/ records have more than ", kCodeBytes,
                          " bytes, the limit; no exporter writes this");
    }
    code.push_back({std::string(name), zip.read(entry, kCodeBytes)});
  }
  return code;
}

// The value behind restore_type_tag(value, "Dict[str, List[Any]]").
NodeId without_tag(const Pickle& data, NodeId id) {
  if (!data.is(id, Type::reduce) || data.callable_name(id) != "torch.jit._pickle.restore_type_tag") return id;
  const std::vector<NodeId>& arguments = data[data.arguments(id)].children;
  return arguments.empty() ? id : arguments[0];
}

// Only a hint, so a record of another form is no error.
std::vector<std::vector<std::int64_t>> read_traced_inputs(const archive::ZipArchive& zip) {
  std::vector<std::vector<std::int64_t>> inputs;
  const archive::ZipEntry* entry = zip.find("traced_inputs.pkl");
  if (entry == nullptr) return inputs;
  const archive::Limits limits;
  const Pickle data =
      archive::read_pickle(zip.read(*entry, limits.pickle_bytes), zip.source().name(), "traced_inputs.pkl", limits);
  const NodeId forward = without_tag(data, data.lookup(without_tag(data, data.root), "forward"));
  for (const NodeId item : data.sequence(forward)) {
    std::vector<std::int64_t>& sizes = inputs.emplace_back();
    if (!data.is(item, Type::reduce) || data.callable_name(item) != "torch._utils._rebuild_tensor_v2") continue;
    const std::vector<NodeId>& arguments = data[data.arguments(item)].children;
    if (arguments.size() < 3) continue;
    for (const NodeId size : data.sequence(arguments[2])) {
      sizes.push_back(data.is(size, Type::integer) ? data[size].integer : 0);
    }
  }
  return inputs;
}

}  // namespace

ScriptArchive read_script_archive(std::shared_ptr<const archive::ByteSource> source, std::uint64_t memory_limit) {
  ScriptArchive read;
  read.zip = archive::ZipArchive::open(std::move(source));
  const archive::ZipArchive& zip = *read.zip;
  read.format_version = read_version(zip);
  require_little_endian(zip);
  read.tensor_bytes = check_pickle(zip, "data.pkl", "data/");
  if (zip.find("constants.pkl") != nullptr) read.tensor_bytes += check_pickle(zip, "constants.pkl", "constants/");
  if (read.tensor_bytes > memory_limit) {
    archive::fail_limit(zip.source().name(), "the tensors take ", human_bytes(read.tensor_bytes), ", the limit is ",
                        human_bytes(memory_limit), "; raise LoadOptions::constant_memory_limit");
  }
  // Compressed records are inflated whether or not a tensor names them.
  std::uint64_t inflated = 0;
  for (const archive::ZipEntry& entry : zip.entries()) {
    const std::string_view name = zip.short_name(entry);
    if (entry.deflated && (name.rfind("data/", 0) == 0 || name.rfind("constants/", 0) == 0)) inflated += entry.size;
  }
  if (inflated > read.tensor_bytes) {
    archive::fail_limit(zip.source().name(), "compressed records inflate to ", human_bytes(inflated),
                        ", but its tensors take ", human_bytes(read.tensor_bytes),
                        "; it holds records that no tensor names, save the module again");
  }
  read.code = read_code(zip);
  read.traced_inputs = read_traced_inputs(zip);
  return read;
}

std::vector<std::string> list_operators(std::shared_ptr<const archive::ByteSource> source) {
  const auto zip = archive::ZipArchive::open(std::move(source));
  return operators_in(read_code(*zip), zip->source().name());
}

}  // namespace ptrun::torchscript
