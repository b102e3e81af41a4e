// The classes of PASCAL VOC as torchvision's published segmentation weights name them (COCO_WITH_VOC_LABELS_V1).
#include <array>
#include <string_view>

#include "labels/labels.h"

namespace ptrun::models {
namespace {

constexpr std::array<std::string_view, 21> kNames = {
    "__background__", "aeroplane", "bicycle",     "bird", "boat",  "bottle",    "bus",    "car",         "cat",
    "chair",          "cow",       "diningtable", "dog",  "horse", "motorbike", "person", "pottedplant", "sheep",
    "sofa",           "train",     "tvmonitor",
};

Labels load() {
  Labels labels;
  labels.names.assign(kNames.begin(), kNames.end());
  labels.source = "built-in voc";
  return labels;
}

}  // namespace

LabelSet voc_labels() { return {"voc", kNames.size(), load}; }

}  // namespace ptrun::models
