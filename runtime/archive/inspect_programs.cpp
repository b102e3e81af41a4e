#include "archive/inspect_programs.h"

#include <algorithm>
#include <set>

#include "archive/fail.h"
#include "archive/torch_objects.h"

namespace ptrun::archive {
namespace {

using Type = PickleNode::Type;

constexpr std::uint64_t kFactBytes = 4096;
constexpr std::uint64_t kCodeBytes = 64ULL << 20U;  // all code/ records together
constexpr std::uint64_t kNameBytes = 64ULL << 20U;

// TorchScript compiles a class once for each set of attributes and numbers the copies: ".___torch_mangle_12".
std::string without_mangling(std::string name) {
  constexpr std::string_view kMark = ".___torch_mangle_";
  for (std::size_t at = name.find(kMark); at != std::string::npos; at = name.find(kMark, at)) {
    name.erase(at, std::min(name.find('.', at + kMark.size()), name.size()) - at);
  }
  return name;
}

class ProgramInspector {
 public:
  ProgramInspector(const ZipArchive& zip, const Limits& limits, ArchiveInspection& found)
      : zip_(zip), limits_(limits), found_(found) {}

  void add_common() {
    add_record("format version", zip_.find(".data/version") != nullptr ? ".data/version" : "version");
    add_record("byte order", "byteorder");
    add_record("serialization id", ".data/serialization_id");
    add_names("extra files", "extra/");
  }

  void add_script() {
    add_code();
    if (zip_.find("bytecode.pkl") != nullptr) add("lite interpreter", "yes", "record bytecode.pkl");
    if (zip_.find("traced_inputs.pkl") != nullptr) add("traced", "yes", "record traced_inputs.pkl");
    add_module();
  }

  void add_export() {
    add_record("archive version", "archive_version");
    add_names("programs", "models/");
    if (zip_.has_prefix("data/aotinductor/")) add_names("native code", "data/aotinductor/");
    std::uint64_t bytes = 0;
    for (const ZipEntry& entry : zip_.entries()) {
      if (zip_.short_name(entry).rfind("data/weights/", 0) == 0) bytes += entry.size;
    }
    if (bytes > 0) add("weight bytes", human_bytes(bytes), "records data/weights/");
  }

 private:
  void add(std::string name, std::string value, std::string source) {
    if (!value.empty()) found_.findings.push_back({std::move(name), std::move(value), std::move(source)});
  }

  void add_record(const char* name, const char* record) {
    const ZipEntry* entry = zip_.find(record);
    if (entry == nullptr || entry->size > kFactBytes) return;
    std::string text = zip_.read(*entry, kFactBytes);
    while (!text.empty() && text.back() == '\n') text.pop_back();
    add(name, printable(text), text_of("record ", record));
  }

  void add_names(const char* name, const std::string& prefix) {
    std::vector<std::string> names;
    for (const ZipEntry& entry : zip_.entries()) {
      const std::string_view record = zip_.short_name(entry);
      if (record.rfind(prefix, 0) == 0) names.push_back(printable(record.substr(prefix.size()), 80));
    }
    if (!names.empty()) add(name, join_some(names), "records " + prefix);
  }

  // Classes are the code files; a device that a model names in its code stays whatever --device says.
  void add_code() {
    std::set<std::string> devices;
    std::vector<std::string> names;
    std::uint64_t bytes = 0;
    for (const ZipEntry& entry : zip_.entries()) {
      const std::string_view record = zip_.short_name(entry);
      constexpr std::string_view kCode = "code/";
      constexpr std::string_view kPython = ".py";
      if (record.rfind(kCode, 0) != 0 || record.size() < kPython.size() ||
          record.substr(record.size() - kPython.size()) != kPython) {
        continue;
      }
      names.push_back(printable(record.substr(kCode.size()), 100));
      bytes += entry.size;
      if (bytes > kCodeBytes) {
        fail_limit(zip_.source().name(), "the code/ records have more than the limit of ", kCodeBytes, " bytes");
      }
      collect_devices(zip_.read(entry, kCodeBytes), devices);
    }
    add("code files", names.empty() ? "" : text_of(names.size(), ": ", join_some(names, 5)), "records code/");
    add("devices in the code", join_some({devices.begin(), devices.end()}), "records code/");
  }

  static void collect_devices(const std::string& code, std::set<std::string>& devices) {
    for (const char* word : {"\"cuda", "\"mps", "\"xpu", "'cuda"}) {
      for (std::size_t at = code.find(word); at != std::string::npos; at = code.find(word, at + 1)) {
        const std::size_t end = code.find(code[at], at + 1);
        if (end != std::string::npos && end - at < 16) devices.insert(printable(code.substr(at + 1, end - at - 1)));
      }
    }
  }

  // Tensors of the module tree in data.pkl, by their dotted attribute names.
  void add_module() {
    const ZipEntry* record = zip_.find("data.pkl");
    if (record == nullptr) return;
    const std::string& subject = zip_.source().name();
    const Pickle data = read_pickle(zip_.read(*record, limits_.pickle_bytes), subject, "data.pkl", limits_);
    const TorchObjects objects = read_torch_objects(data, subject, "data.pkl", limits_);
    std::set<std::string> locations;
    for (const Storage& storage : objects.storages) locations.insert(printable(storage.location, 40));
    add("saved from devices", join_some({locations.begin(), locations.end()}), "storage locations");
    struct Step {
      NodeId node;
      std::string name;
    };
    std::vector<Step> pending{{data.root, ""}};
    std::uint64_t name_bytes = 0;
    std::set<std::string> classes;
    // A module that is its own child, or shared by thousands, would make names without end.
    for (std::size_t steps = 0; !pending.empty(); ++steps) {
      const Step step = std::move(pending.back());
      pending.pop_back();
      const auto tensor = objects.tensor_nodes.find(step.node);
      if (tensor != objects.tensor_nodes.end()) {
        const TensorInfo& info = objects.tensors[tensor->second];
        found_.tensors.push_back({step.name, info.dtype, info.shape});
        if (!names_statistic(step.name) && info.storage != kNoStorage) found_.parameters += element_count(info.shape);
        continue;
      }
      const std::string name = without_mangling(data.callable_name(step.node));
      if (name.rfind("__torch__.", 0) == 0 && classes.insert(name).second) {
        found_.classes.push_back(printable(name) + (step.name.empty() ? "" : " at " + printable(step.name)));
      }
      auto children = data.mapping(data.state(step.node));
      for (auto child = children.rbegin(); child != children.rend(); ++child) {
        const bool more = objects.tensor_nodes.count(child->second) != 0 || data.is(child->second, Type::object);
        if (!more) continue;
        std::string dotted =
            step.name.empty() ? std::string(data.text(child->first)) : text_of(step.name, '.', data.text(child->first));
        name_bytes += dotted.size() + 1;
        if (name_bytes > kNameBytes || steps > limits_.weight_names) {
          fail_limit(subject, "the module tree has more names than the limit of ", limits_.weight_names);
        }
        pending.push_back({child->second, std::move(dotted)});
      }
    }
  }

  const ZipArchive& zip_;
  const Limits& limits_;
  ArchiveInspection& found_;
};

}  // namespace

void inspect_program(const ZipArchive& zip, Kind kind, const Limits& limits, ArchiveInspection& found) {
  ProgramInspector inspector(zip, limits, found);
  inspector.add_common();
  if (kind == Kind::torchscript || kind == Kind::lite_interpreter) inspector.add_script();
  if (kind == Kind::exported_program || kind == Kind::aot_inductor) inspector.add_export();
}

}  // namespace ptrun::archive
