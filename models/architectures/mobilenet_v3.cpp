// MobileNetV3 large and small of any width multiplier as torchvision builds them (torchvision/models/mobilenetv3.py,
// batch norms with eps 1e-3). Howard et al. 2019 (1905.02244).
#include <array>
#include <string>

#include "architectures/architectures.h"
#include "architectures/blocks.h"
#include "presets/presets.h"

namespace ptrun::models {
namespace {

constexpr double kEps = 1e-3;

// A row of the paper's tables 1 and 2. Channels are the file's.
struct Block {
  std::int64_t kernel;
  bool squeeze;
  Activation activation;
  std::int64_t stride;
};

constexpr Activation kRelu = &GraphBuilder::relu;
constexpr Activation kSwish = &GraphBuilder::hardswish;

constexpr std::array kLarge = {
    Block{3, false, kRelu, 1},  Block{3, false, kRelu, 2},  Block{3, false, kRelu, 1},  Block{5, true, kRelu, 2},
    Block{5, true, kRelu, 1},   Block{5, true, kRelu, 1},   Block{3, false, kSwish, 2}, Block{3, false, kSwish, 1},
    Block{3, false, kSwish, 1}, Block{3, false, kSwish, 1}, Block{3, true, kSwish, 1},  Block{3, true, kSwish, 1},
    Block{5, true, kSwish, 2},  Block{5, true, kSwish, 1},  Block{5, true, kSwish, 1},
};
constexpr std::array kSmall = {
    Block{3, true, kRelu, 2},  Block{3, false, kRelu, 2}, Block{3, false, kRelu, 1}, Block{5, true, kSwish, 2},
    Block{5, true, kSwish, 1}, Block{5, true, kSwish, 1}, Block{5, true, kSwish, 1}, Block{5, true, kSwish, 1},
    Block{5, true, kSwish, 2}, Block{5, true, kSwish, 1}, Block{5, true, kSwish, 1},
};

// Place of the depthwise convolution: 0 in a block that does not expand.
int depthwise_at(const Weights& block) { return block.size("0.0.weight", 1) == 1 ? 0 : 1; }

bool fits(const Weights& w, const Block* blocks, std::size_t count) {
  const Weights features = w / "features";
  if (features.count() != count + 2) return false;
  for (std::size_t i = 0; i < count; ++i) {
    const Weights block = features / std::to_string(i + 1) / "block";
    const int at = depthwise_at(block);
    const std::string depthwise = std::to_string(at) + ".0.weight";
    const std::size_t parts = static_cast<std::size_t>(at) + (blocks[i].squeeze ? 3 : 2);
    if (!is_conv(block, depthwise, blocks[i].kernel) || block.size(depthwise, 1) != 1 || block.count() != parts ||
        block.has(std::to_string(at + 1) + ".fc1.weight") != blocks[i].squeeze) {
      return false;
    }
  }
  return true;
}

std::optional<ArchitectureMatch> recognise(const Weights& w) {
  const std::int64_t classes = linear_size(w, "classifier.3");
  if (classes == 0 || linear_size(w, "classifier.0") == 0 || !is_conv(w, "features.0.0.weight", 3)) return std::nullopt;
  if (fits(w, kLarge.data(), kLarge.size())) return ArchitectureMatch{"mobilenet_v3_large", Task::classify, classes};
  if (fits(w, kSmall.data(), kSmall.size())) return ArchitectureMatch{"mobilenet_v3_small", Task::classify, classes};
  return std::nullopt;
}

Value inverted_residual(GraphBuilder& g, const Weights& w, Value x, const Block& block) {
  const int at = depthwise_at(w);
  const std::int64_t in = w.size("0.0.weight", at == 0 ? 0 : 1);
  Value y = x;
  if (at == 1) y = conv_norm(g, w / "0", y, {.activation = block.activation, .eps = kEps});
  y = conv_norm(g, w / std::to_string(at), y,
                {.stride = block.stride, .groups = 0, .activation = block.activation, .eps = kEps});
  if (block.squeeze) {
    const Weights squeeze = w / std::to_string(at + 1);
    y = squeeze_excitation(g, squeeze / "fc1", squeeze / "fc2", y, kRelu, &GraphBuilder::hardsigmoid);
  }
  const Weights project = w / std::to_string(at + (block.squeeze ? 2 : 1));
  y = conv_norm(g, project, y, {.eps = kEps});
  return block.stride == 1 && in == project.size("0.weight", 0) ? g.add(y, x) : y;
}

Value build(GraphBuilder& g, const Weights& w, Value x) {
  const Weights features = w / "features";
  const bool large = features.count() == kLarge.size() + 2;
  const std::size_t blocks = large ? kLarge.size() : kSmall.size();
  x = conv_norm(g, features / "0", x, {.stride = 2, .activation = kSwish, .eps = kEps});
  for (std::size_t i = 0; i < blocks; ++i) {
    x = inverted_residual(g, features / std::to_string(i + 1) / "block", x, large ? kLarge[i] : kSmall[i]);
  }
  x = conv_norm(g, features / std::to_string(blocks + 1), x, {.activation = kSwish, .eps = kEps});
  x = g.hardswish(pool_and_classify(g, w / "classifier.0", x));
  return biased_linear(g, w / "classifier.3", x);
}

}  // namespace

Architecture mobilenet_v3_family() {
  Architecture family;
  family.family = "mobilenet_v3";
  family.source = "torchvision MobileNetV3; arXiv 1905.02244";
  family.variants = {"mobilenet_v3_large", "mobilenet_v3_small"};
  family.recognise = recognise;
  family.build = build;
  family.module_classes = {"torchvision.models.mobilenetv3.MobileNetV3"};
  family.assumed_preset = imagenet_preset(256);
  return family;
}

}  // namespace ptrun::models
