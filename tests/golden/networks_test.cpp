// Every architecture against torchvision's and timm's own numbers, without a file of weights: names and shapes from
// tests/data/golden/networks, values from their names.
#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <regex>

#include "golden/named_values.h"
#include "golden/networks_golden.h"

namespace ptrun::testing {
namespace {

using nlohmann::json;

constexpr double kTolerance = 1e-4;  // of the largest logit

double tolerance_of(const std::string& name) {
  if (name.substr(0, 5) == "timm_") return 1e-5;
  // MaxViT with these numbers: float32 lies 1.2e-4 from float64 in Python itself.
  return name == "maxvit_t" ? 5e-4 : kTolerance;
}

json network_named(const std::string& name) {
  return read_network(std::string(PTRUN_TEST_DATA) + "/golden/networks/" + name + ".json");
}

class Networks : public ::testing::TestWithParam<const char*> {};

TEST_P(Networks, EqualPython) {
  const json network = network_named(GetParam());
  const WeightTable table = table_of(network);
  const std::string name = network.at("architecture").get<std::string>();
  const auto found = recognise_all(table, name);
  ASSERT_EQ(found.size(), 1U);  // by its own family, and by no other
  const auto& [architecture, match] = found.front();
  EXPECT_EQ(match.name, name);
  EXPECT_EQ(match.classes, network.at("classes").get<std::int64_t>());
  const BuiltNetwork built = build_network(*architecture, table, by_name(network));
  EXPECT_THAT(built.differences.missing, ::testing::IsEmpty());
  EXPECT_THAT(built.differences.left_over, ::testing::IsEmpty());
  EXPECT_THAT(built.differences.mismatched, ::testing::IsEmpty());
  const at::Tensor logits = run_network(network, built.module);
  const double largest = difference(network, logits);
  std::cout << GetParam() << ": difference " << largest << " of the largest logit\n";
  EXPECT_LE(largest, tolerance_of(GetParam()));
  // The images differ, so do their outputs.
  EXPECT_GT((logits[0] - logits[1]).abs().max().item<double>(), 1e-4 * logits.abs().max().item<double>());
}

INSTANTIATE_TEST_SUITE_P(
    Variants, Networks,
    ::testing::Values("resnet18", "resnet34", "resnet50", "resnet101", "resnet152", "resnext50_32x4d",
                      "resnext101_32x8d", "resnext101_64x4d", "wide_resnet50_2", "wide_resnet101_2", "mobilenet_v2",
                      "mobilenet_v2_half_10", "mobilenet_v3_small", "mobilenet_v3_large", "efficientnet_b0",
                      "efficientnet_b5_10", "efficientnet_v2_s", "convnext_tiny", "vit_b_16_48", "swin_t", "swin_t_112",
                      "swin_v2_t", "densenet121", "vgg11_10", "vgg11_bn_10", "alexnet", "squeezenet1_0",
                      "squeezenet1_1", "shufflenet_v2_x0_5", "mnasnet0_5", "regnet_y_400mf", "regnet_x_400mf",
                      "googlenet", "googlenet_plain_10", "inception_v3", "maxvit_t", "timm_mobilenetv2_100",
                      "timm_mobilenetv2_110d_10", "timm_mobilenetv3_large_100", "timm_mobilenetv3_small_050_10",
                      "timm_tf_mobilenetv3_small_075", "timm_efficientnet_b0", "timm_tf_efficientnet_b1_10",
                      "timm_tf_efficientnetv2_b0", "timm_efficientnetv2_rw_t", "timm_vit_tiny_patch16_48",
                      "timm_deit3_small_patch16_48", "timm_convnext_atto", "timm_convnext_tiny_10",
                      "timm_convnextv2_nano", "timm_resnet10t", "timm_resnet50d", "timm_seresnext26d_10",
                      "timm_seresnet50"),
    [](const auto& variant) { return std::string(variant.param); });

// The comparison is able to fail: one batch norm's mean moved.
TEST(Networks, NoticeAChangedWeight) {
  const json network = network_named("resnet18");
  const WeightTable table = table_of(network);
  const BuiltNetwork built =
      build_network(*recognise_all(table).at(0).first, table, [](const WeightTable::Entry& entry) {
        at::Tensor values = named_values(entry.name, entry.shape);
        return entry.name == "layer2.0.bn1.running_mean" ? values.add(0.05) : values;
      });
  EXPECT_GT(difference(network, run_network(network, built.module)), kTolerance);
}

// Every family has at least one network here.
TEST(Networks, EveryFamilyIsCompared) {
  std::set<std::string> compared;
  for (const auto& entry : std::filesystem::directory_iterator(std::string(PTRUN_TEST_DATA) + "/golden/networks")) {
    const json network = read_network(entry.path());
    for (const auto& [architecture, match] : recognise_all(table_of(network), network.at("architecture"))) {
      compared.insert(std::string(architecture->family));
    }
  }
  for (const Architecture& architecture : builtin_models().architectures) {
    EXPECT_EQ(compared.count(std::string(architecture.family)), 1U) << architecture.family;
  }
}

WeightTable renamed(const WeightTable& table, const std::regex& pattern, const std::string& replacement) {
  WeightTable result;
  for (WeightTable::Entry entry : table.entries()) {
    entry.name = std::regex_replace(entry.name, pattern, replacement);
    result.add(std::move(entry));
  }
  return result;
}

// torchvision's published DenseNets spell norm1 as norm.1, its first ViTs the perceptron's layers otherwise.
TEST(Networks, OldSpellings) {
  struct Case {
    const char* network;
    const char* pattern;
    const char* replacement;
    const char* back_pattern;
    const char* back;
  };
  for (const Case& old :
       {Case{"densenet121", R"((layer\d+\.(norm|conv))(\d))", "$1.$3", R"((layer\d+\.(norm|conv))\.)", "$1"},
        Case{"vit_b_16_48", R"(mlp\.0)", "mlp.linear_1", R"(mlp\.linear_1)", "mlp.0"}}) {
    const json network = network_named(old.network);
    WeightTable table = renamed(table_of(network), std::regex(old.pattern), old.replacement);
    const bool vit = std::string(old.network) == "vit_b_16_48";
    if (vit) table = renamed(table, std::regex(R"(mlp\.3)"), "mlp.linear_2");
    const auto found = recognise_all(table);
    ASSERT_EQ(found.size(), 1U) << old.network;
    EXPECT_EQ(found[0].second.name, network.at("architecture").get<std::string>());
    const BuiltNetwork built = build_network(*found[0].first, table, [&](const WeightTable::Entry& entry) {
      std::string name = std::regex_replace(entry.name, std::regex(old.back_pattern), old.back);
      if (vit) name = std::regex_replace(name, std::regex(R"(mlp\.linear_2)"), "mlp.3");
      return named_values(name, entry.shape);
    });
    EXPECT_TRUE(built.differences.empty());
    EXPECT_LE(difference(network, run_network(network, built.module)), kTolerance) << old.network;
  }
}

// Position embeddings fix the image's size.
TEST(Networks, TransformersSayTheirImageSize) {
  const auto vit = recognise_all(table_of(network_named("vit_b_16_48")));
  EXPECT_EQ(vit.at(0).second.input_height, 48);
  EXPECT_EQ(vit.at(0).second.input_width, 48);
  EXPECT_EQ(recognise_all(table_of(network_named("maxvit_t"))).at(0).second.input_height, 224);
  EXPECT_EQ(recognise_all(table_of(network_named("swin_t"))).at(0).second.input_height, 0);
}

// Where names and shapes are those of two networks, the one that most files are is taken unless the other is named.
TEST(Networks, TwinsAreTakenByTheirNamesOnly) {
  const WeightTable table = table_of(network_named("timm_tf_efficientnet_b1_10"));
  ASSERT_EQ(recognise_all(table).size(), 1U);
  EXPECT_EQ(recognise_all(table).front().second.name, "timm/efficientnet_b1");
  EXPECT_EQ(recognise_all(table, "timm/tf_efficientnet_b1").front().second.name, "timm/tf_efficientnet_b1");
  EXPECT_EQ(recognise_all(table, "timm/tf_efficientnet_b2").front().second.name, "timm/efficientnet_b1");
}

// One tensor less, one more, or another size: never taken without a difference that is named.
TEST(Networks, DamagedNamesAreNoticed) {
  for (const char* name : {"mobilenet_v3_small",
                           "efficientnet_b0",
                           "convnext_tiny",
                           "vit_b_16_48",
                           "swin_t",
                           "swin_v2_t",
                           "densenet121",
                           "vgg11_10",
                           "alexnet",
                           "squeezenet1_1",
                           "shufflenet_v2_x0_5",
                           "mnasnet0_5",
                           "regnet_y_400mf",
                           "googlenet",
                           "inception_v3",
                           "maxvit_t",
                           "timm_mobilenetv2_100",
                           "timm_mobilenetv3_large_100",
                           "timm_efficientnet_b0",
                           "timm_efficientnetv2_rw_t",
                           "timm_vit_tiny_patch16_48",
                           "timm_deit3_small_patch16_48",
                           "timm_convnext_tiny_10",
                           "timm_convnextv2_nano",
                           "timm_resnet50d",
                           "timm_seresnext26d_10"}) {
    const WeightTable table = table_of(network_named(name));
    const std::size_t count = table.entries().size();
    // Some of hundreds, in a step that meets every kind of tensor.
    for (std::size_t damaged = 0; damaged < count; damaged += count / 16 + 1) {
      for (const bool lost : {true, false}) {
        const std::string& tensor = table.entries()[damaged].name;
        // Counters, and heads of training alone, are not needed.
        if (table.entries()[damaged].shape.empty() || std::regex_search(tensor, std::regex("aux|Aux"))) continue;
        WeightTable other;
        for (std::size_t i = 0; i < count; ++i) {
          WeightTable::Entry entry = table.entries()[i];
          if (i == damaged && lost) continue;
          if (i == damaged) entry.shape[0] += 1;
          other.add(std::move(entry));
        }
        for (const auto& [architecture, match] : recognise_all(other)) {
          GraphBuilder builder = make_builder(other, {});
          builder.output(architecture->build(builder, Weights(other), builder.input("images")));
          EXPECT_FALSE(differences(builder).empty())
              << name << (lost ? " without " : " with another ") << tensor << " is " << match.name;
        }
      }
    }
  }
}

}  // namespace
}  // namespace ptrun::testing
