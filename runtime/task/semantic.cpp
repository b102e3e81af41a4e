// A class for every pixel, from logits [N, classes, H, W] over the whole input: torchvision's segmentation networks, a
// dict with "out" (and "aux", of training), ultralytics' SemanticSegment, a tensor.
#include <ATen/ATen.h>

#include <algorithm>
#include <array>

#include "ptrun/error.h"
#include "task/class_map.h"
#include "task/heads.h"

namespace ptrun {
namespace {

class Semantic : public TaskHead {
 public:
  explicit Semantic(const Model& model) : model_(model) {}

  void read(const c10::IValue& output, std::vector<Outcome>& outcomes) const override {
    const at::Tensor logits = logits_of(output, static_cast<std::int64_t>(outcomes.size()));
    for (std::size_t i = 0; i < outcomes.size(); ++i) {
      if (!outcomes[i].ok()) continue;
      const at::Tensor own = logits[static_cast<std::int64_t>(i)];
      if (!at::isfinite(own).all().item<bool>()) {
        fail_image(outcomes[i], model_.path() +
                                    ": returned NaN or infinite logits for this image, expected finite numbers; the "
                                    "weights or the preprocessing do not fit");
        continue;
      }
      Prediction& prediction = *outcomes[i].prediction;
      prediction.task = Task::segment;
      prediction.detections.clear();
      const ClassLogits values = {own.const_data_ptr<float>(), static_cast<int>(own.size(0)),
                                  static_cast<int>(own.size(1)), static_cast<int>(own.size(2))};
      prediction.segment_map = class_map(values, prediction.geometry);
      prediction.segments = areas_of(prediction.segment_map);
    }
  }

 private:
  [[noreturn]] void refuse(const std::string& found, const std::string& expected) const {
    throw Error(ErrorCode::model_failed, model_.path(),
                "returned " + found + ", expected " + expected + "; use --task tensors to see the raw outputs");
  }

  // The tensor that holds them: the output itself, the first of a tuple, "out" or "logits" of a dict.
  c10::IValue holder(const c10::IValue& output) const {
    if (output.isTuple() && !output.toTupleRef().elements().empty()) return output.toTupleRef().elements()[0];
    if (!output.isGenericDict()) return output;
    const auto dict = output.toGenericDict();
    for (const char* name : {"out", "logits"}) {
      const c10::IValue key{std::string(name)};
      if (dict.contains(key)) return dict.at(key);
    }
    return dict.size() == 1 ? dict.begin()->value() : output;
  }

  at::Tensor logits_of(const c10::IValue& output, std::int64_t images) const {
    const std::string expected = "logits [" + std::to_string(images) + ", classes, height, width]";
    const c10::IValue found = holder(output);
    if (!found.isTensor()) refuse("a " + output.tagKind(), expected + R"(, or a dict with "out")");
    const at::Tensor tensor = found.toTensor();
    const std::string shape = "a tensor of shape " + shape_text(tensor.sizes().vec());
    if (tensor.dim() != 4 || tensor.size(0) != images || tensor.numel() == 0 || !tensor.is_floating_point()) {
      refuse(shape, expected);
    }
    if (tensor.size(1) > kMostClasses) refuse(shape, "at most " + std::to_string(kMostClasses) + " classes");
    return tensor.to(at::kCPU, at::kFloat).contiguous();
  }

  // The largest first.
  std::vector<SegmentArea> areas_of(const std::vector<std::uint8_t>& map) const {
    std::array<std::int64_t, 256> counts{};
    for (const std::uint8_t index : map) ++counts.at(index);
    std::vector<SegmentArea> areas;
    const std::vector<std::string>& names = model_.labels().names;
    for (std::size_t i = 0; i < kUnseen; ++i) {
      if (counts.at(i) == 0) continue;
      areas.push_back({static_cast<int>(i), i < names.size() ? names[i] : std::string(), counts.at(i)});
    }
    std::stable_sort(areas.begin(), areas.end(),
                     [](const SegmentArea& a, const SegmentArea& b) { return a.area > b.area; });
    return areas;
  }

  Model model_;
};

}  // namespace

std::unique_ptr<TaskHead> make_semantic(const Model& model) { return std::make_unique<Semantic>(model); }

}  // namespace ptrun
