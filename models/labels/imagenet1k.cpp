#include <array>
#include <string_view>

#include "labels/labels.h"

namespace ptrun::models {
namespace {

constexpr std::array<std::string_view, 1000> kNames = {
#include "labels/imagenet1k.inc"
};

Labels load() {
  Labels labels;
  labels.names.assign(kNames.begin(), kNames.end());
  labels.source = "built-in imagenet1k";
  return labels;
}

}  // namespace

std::vector<LabelSet> label_sets() { return {{"imagenet1k", kNames.size(), load}, voc_labels()}; }

}  // namespace ptrun::models
