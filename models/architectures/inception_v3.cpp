// Inception V3 as torchvision builds it (torchvision/models/inception.py, batch norms with eps 1e-3). Szegedy et al.
// 2015 (1512.00567). For transform_input see googlenet.cpp.
#include <array>
#include <string>

#include "architectures/architectures.h"
#include "architectures/blocks.h"
#include "presets/presets.h"

namespace ptrun::models {
namespace {

std::optional<ArchitectureMatch> recognise(const Weights& w) {
  const std::int64_t classes = linear_size(w, "fc");
  const bool fits = is_conv(w, "Conv2d_1a_3x3.conv.weight", 3) && is_conv(w, "Conv2d_4a_3x3.conv.weight", 3) &&
                    is_conv(w, "Mixed_5b.branch5x5_2.conv.weight", 5) &&
                    is_conv(w, "Mixed_6a.branch3x3.conv.weight", 3) && w.has("Mixed_6e.branch7x7dbl_5.conv.weight") &&
                    w.has("Mixed_7a.branch7x7x3_4.conv.weight") && w.has("Mixed_7c.branch3x3dbl_3b.conv.weight");
  if (classes == 0 || !fits) return std::nullopt;
  return ArchitectureMatch{"inception_v3", Task::classify, classes};
}

// The five kinds of blocks; names below one block, so that a chain of convolutions reads as its names.
class Block {
 public:
  Block(GraphBuilder& g, const Weights& w) : g_(g), w_(w) {}

  Value conv(const std::string& name, Value x) const { return apply(name, x, {}); }
  // Without padding: the sides shrink.
  Value cut(const std::string& name, Value x, std::int64_t stride) const {
    return apply(name, x, {.stride = stride, .padded = false});
  }
  Value chain(const std::string& prefix, int count, Value x) const {
    for (int i = 1; i <= count; ++i) x = conv(prefix + "_" + std::to_string(i), x);
    return x;
  }
  Value pooled(Value x) const {
    return conv("branch_pool", g_.avg_pool2d(x, {.kernel = 3, .stride = 1, .padding = 1}));
  }
  Value halved(Value x) const { return g_.max_pool2d(x, {.kernel = 3, .stride = 2}); }
  Value join(const std::vector<Value>& branches) const { return g_.cat(branches, 1); }

 private:
  Value apply(const std::string& name, Value x, ConvNormOptions options) const {
    options.activation = &GraphBuilder::relu;
    options.eps = 1e-3;
    return conv_norm(g_, w_ / name / "conv", w_ / name / "bn", x, options);
  }

  GraphBuilder& g_;
  Weights w_;
};

Value inception_a(const Block& b, Value x) {
  return b.join({b.conv("branch1x1", x), b.chain("branch5x5", 2, x), b.chain("branch3x3dbl", 3, x), b.pooled(x)});
}

Value inception_b(const Block& b, Value x) {
  return b.join({b.cut("branch3x3", x, 2), b.cut("branch3x3dbl_3", b.chain("branch3x3dbl", 2, x), 2), b.halved(x)});
}

Value inception_c(const Block& b, Value x) {
  return b.join({b.conv("branch1x1", x), b.chain("branch7x7", 3, x), b.chain("branch7x7dbl", 5, x), b.pooled(x)});
}

Value inception_d(const Block& b, Value x) {
  return b.join({b.cut("branch3x3_2", b.conv("branch3x3_1", x), 2),
                 b.cut("branch7x7x3_4", b.chain("branch7x7x3", 3, x), 2), b.halved(x)});
}

Value inception_e(const Block& b, Value x) {
  const Value y = b.conv("branch3x3_1", x);
  const Value z = b.chain("branch3x3dbl", 2, x);
  return b.join({b.conv("branch1x1", x), b.join({b.conv("branch3x3_2a", y), b.conv("branch3x3_2b", y)}),
                 b.join({b.conv("branch3x3dbl_3a", z), b.conv("branch3x3dbl_3b", z)}), b.pooled(x)});
}

struct Row {
  const char* name;
  Value (*build)(const Block& block, Value x);
};

constexpr std::array kBlocks = {
    Row{"Mixed_5b", inception_a}, Row{"Mixed_5c", inception_a}, Row{"Mixed_5d", inception_a},
    Row{"Mixed_6a", inception_b}, Row{"Mixed_6b", inception_c}, Row{"Mixed_6c", inception_c},
    Row{"Mixed_6d", inception_c}, Row{"Mixed_6e", inception_c}, Row{"Mixed_7a", inception_d},
    Row{"Mixed_7b", inception_e}, Row{"Mixed_7c", inception_e},
};

Value build(GraphBuilder& g, const Weights& w, Value x) {
  const Block stem(g, w);
  x = stem.cut("Conv2d_2a_3x3", stem.cut("Conv2d_1a_3x3", x, 2), 1);
  x = stem.halved(stem.conv("Conv2d_2b_3x3", x));
  x = stem.halved(stem.cut("Conv2d_4a_3x3", stem.conv("Conv2d_3b_1x1", x), 1));
  for (const Row& row : kBlocks) x = row.build(Block(g, w / row.name), x);
  g.skip(w / "AuxLogits");  // used in training alone
  return pool_and_classify(g, w / "fc", x);
}

}  // namespace

Architecture inception_v3_family() {
  Architecture family;
  family.family = "inception_v3";
  family.source = "torchvision Inception3; arXiv 1512.00567";
  family.variants = {"inception_v3"};
  family.recognise = recognise;
  family.build = build;
  family.module_classes = {"torchvision.models.inception.Inception3"};
  family.assumed_preset = imagenet_preset(342);
  family.assumed_preset.input_height = family.assumed_preset.input_width = 299;
  return family;
}

}  // namespace ptrun::models
