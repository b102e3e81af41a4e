#include "loader/extra_files.h"

#include <utility>

#include "archive/byte_source.h"
#include "core/text.h"
#include "loader/labels.h"
#include "loader/loader.h"
#include "ptrun/error.h"

namespace ptrun {
namespace {

constexpr std::uint64_t kMaxBytes = 16ULL << 20U;

const archive::ZipEntry* find_extra(const archive::ZipArchive& zip, const std::string& name) {
  const archive::ZipEntry* entry = zip.find("extra/" + name);
  return entry != nullptr ? entry : zip.find("extra_files/" + name);  // of PyTorch 2.1 to 2.7
}

ModelFacts read_facts(const std::string& name, const std::string& text, const std::string& source) {
  if (name == "ptrun.json") return read_ptrun_json(text, source);
  if (name == "config.txt") return read_ultralytics_config(text, source);
  ModelFacts facts;
  facts.labels = read_labels(*archive::from_memory(source, text));
  facts.labels.source = source;
  return facts;
}

}  // namespace

ModelFacts read_extra_files(const archive::ZipArchive& zip, std::vector<std::string>& notes) {
  ModelFacts all;
  for (const std::string name : {"ptrun.json", "config.txt", "labels.json", "labels.txt"}) {
    const archive::ZipEntry* entry = find_extra(zip, name);
    if (entry == nullptr) continue;
    const std::string source = "extra file " + name + " in the model file";
    try {
      ModelFacts facts = read_facts(name, zip.read(*entry, kMaxBytes), source);
      if (all.labels.names.empty()) all.labels = std::move(facts.labels);
      all.rotated_boxes = all.rotated_boxes || facts.rotated_boxes;
      all.anchor_rows = all.anchor_rows || facts.anchor_rows;
      if (all.keypoint_shape[0] == 0) all.keypoint_shape = facts.keypoint_shape;
      if (all.preset.source.empty()) all.preset = std::move(facts.preset);
      if (facts.task.empty() || !all.task.empty()) continue;
      if (find_task(facts.task)) {
        all.task = std::move(facts.task);
      } else {
        notes.push_back("ignored: " + source + ": task " + printable(facts.task, 60) + " is not known");
      }
    } catch (const Error& error) {
      notes.push_back(std::string("ignored: ") + error.what());
    }
  }
  return all;
}

}  // namespace ptrun
