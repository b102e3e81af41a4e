// Every architecture against torchvision's own numbers, without a file of weights: names and shapes from
// tests/data/golden/networks, values from their names.
#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <nlohmann/json.hpp>
#include <regex>

#include "executor/executor.h"
#include "golden/named_values.h"
#include "graph/builder_impl.h"
#include "ptrun/models.h"

namespace ptrun {
namespace {

using nlohmann::json;

constexpr double kTolerance = 1e-4;  // of the largest logit

json read_network(const std::string& name) {
  std::ifstream file(std::string(PTRUN_TEST_DATA) + "/golden/networks/" + name + ".json");
  return json::parse(file);
}

// Rows of names, repeated blocks written as "layer3.1-5.conv1.weight", spelled out.
WeightTable table_of(const json& network) {
  WeightTable table;
  for (const json& row : network.at("weights")) {
    const std::string name = row[0];
    const auto shape = row[1].get<std::vector<std::int64_t>>();
    std::smatch run;
    int first = 0;
    int last = 0;
    const bool repeated = std::regex_match(name, run, std::regex(R"(([a-z]+\d*)\.(\d+)-(\d+)\.(.*))"));
    if (repeated) {
      first = std::stoi(run[2]);
      last = std::stoi(run[3]);
    }
    for (int i = first; i <= last; ++i) {
      WeightTable::Entry entry;
      entry.name = repeated ? run[1].str() + "." + std::to_string(i) + "." + run[4].str() : name;
      entry.shape = shape;
      entry.dtype = shape.empty() ? DType::int64 : DType::float32;
      table.add(std::move(entry));
    }
  }
  return table;
}

struct Network {
  std::string architecture;
  Model model;
};

Network build(const json& network, const TensorProvider& provider) {
  const WeightTable table = table_of(network);
  const Weights weights(table);
  for (const Architecture& architecture : builtin_models().architectures) {
    const auto match = architecture.recognise(weights);
    if (!match) continue;
    EXPECT_EQ(match->classes, network.at("classes").get<std::int64_t>());
    GraphBuilder builder = make_builder(table, provider);
    builder.output(architecture.build(builder, weights, builder.input("images")));
    const WeightDifferences found = differences(builder);
    EXPECT_THAT(found.missing, ::testing::IsEmpty());
    EXPECT_THAT(found.left_over, ::testing::IsEmpty());
    EXPECT_THAT(found.mismatched, ::testing::IsEmpty());
    auto impl = std::make_shared<Model::Impl>();
    impl->path = match->name;
    impl->module = finish(builder);
    return {match->name, Model(impl)};
  }
  throw std::runtime_error("not recognised");
}

TensorProvider by_name() {
  return [](const WeightTable::Entry& entry) { return testing::named_values(entry.name, entry.shape); };
}

at::Tensor logits_of(const json& network, const Model& model) {
  // As in Python: sums of convolutions are split between threads otherwise.
  at::set_num_threads(1);
  ExecutorOptions options;
  options.batch_size = 2;
  const auto shape = network.at("input").get<std::vector<std::int64_t>>();
  return Executor(model, options).run(testing::named_values("images", shape)).toTensor();
}

// Largest difference to Python's numbers, in units of the largest logit.
double difference(const json& network, const at::Tensor& logits) {
  double largest = 0.0;
  double scale = 0.0;
  const auto compare = [&](double ours, double theirs) { largest = std::max(largest, std::abs(ours - theirs)); };
  for (std::int64_t image = 0; image < logits.size(0); ++image) {
    const at::Tensor row = logits[image].to(at::kDouble);
    const auto at_image = [&](const char* key) { return network.at(key)[static_cast<std::size_t>(image)]; };
    scale = std::max({scale, std::abs(at_image("max").get<double>()), std::abs(at_image("min").get<double>())});
    const json first = at_image("first");
    for (std::size_t i = 0; i < first.size(); ++i) {
      compare(row[static_cast<std::int64_t>(i)].item<double>(), first[i].get<double>());
    }
    compare(row.max().item<double>(), at_image("max").get<double>());
    compare(row.min().item<double>(), at_image("min").get<double>());
    // The norm adds up all logits' differences.
    compare(row.norm().item<double>() / std::sqrt(static_cast<double>(row.numel())),
            at_image("norm").get<double>() / std::sqrt(static_cast<double>(row.numel())));
    EXPECT_EQ(row.argmax().item<std::int64_t>(), at_image("argmax").get<std::int64_t>());
  }
  return largest / scale;
}

class Networks : public ::testing::TestWithParam<const char*> {};

TEST_P(Networks, EqualTorchvision) {
  const json network = read_network(GetParam());
  const Network built = build(network, by_name());
  EXPECT_EQ(built.architecture, network.at("architecture").get<std::string>());
  const at::Tensor logits = logits_of(network, built.model);
  ASSERT_EQ(logits.size(1), network.at("classes").get<std::int64_t>());
  const double found = difference(network, logits);
  RecordProperty("difference", std::to_string(found));
  std::cout << GetParam() << ": difference " << found << " of the largest logit\n";
  EXPECT_LE(found, kTolerance);
  // The images differ, so do their outputs.
  EXPECT_GT((logits[0] - logits[1]).abs().max().item<double>(), 1e-3 * logits.abs().max().item<double>());
}

INSTANTIATE_TEST_SUITE_P(Variants, Networks,
                         ::testing::Values("resnet18", "resnet34", "resnet50", "resnet101", "resnet152",
                                           "resnext50_32x4d", "resnext101_32x8d", "resnext101_64x4d", "wide_resnet50_2",
                                           "wide_resnet101_2", "mobilenet_v2", "mobilenet_v2_half_10"),
                         [](const auto& variant) { return std::string(variant.param); });

// The comparison is able to fail: one batch norm's mean moved.
TEST(Networks, NoticeAChangedWeight) {
  const json network = read_network("resnet18");
  const Network built = build(network, [](const WeightTable::Entry& entry) {
    at::Tensor values = testing::named_values(entry.name, entry.shape);
    return entry.name == "layer2.0.bn1.running_mean" ? values.add(0.05) : values;
  });
  EXPECT_GT(difference(network, logits_of(network, built.model)), kTolerance);
}

}  // namespace
}  // namespace ptrun
