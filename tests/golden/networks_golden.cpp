#include "golden/networks_golden.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>

#include <cmath>
#include <fstream>
#include <limits>
#include <regex>
#include <stdexcept>

#include "golden/named_values.h"
#include "graph/jit_api.h"

namespace ptrun::testing {
namespace {

using nlohmann::json;

void add_run(WeightTable& table, const std::string& name, const std::vector<std::int64_t>& shape) {
  static const std::regex kRun(R"(\{(\d+)-(\d+)\})");
  std::smatch run;
  if (!std::regex_search(name, run, kRun)) {
    WeightTable::Entry entry;
    entry.name = name;
    entry.shape = shape;
    entry.dtype = shape.empty() ? DType::int64 : DType::float32;
    table.add(std::move(entry));
    return;
  }
  for (int i = std::stoi(run[1]); i <= std::stoi(run[2]); ++i) {
    add_run(table, run.prefix().str() + std::to_string(i) + run.suffix().str(), shape);
  }
}

}  // namespace

json read_network(const std::string& path) {
  std::ifstream file(path);
  if (!file) throw std::runtime_error("cannot open " + path);
  return json::parse(file);
}

WeightTable table_of(const json& network) {
  WeightTable table;
  for (const json& row : network.at("weights")) {
    add_run(table, row[0].get<std::string>(), row[1].get<std::vector<std::int64_t>>());
  }
  return table;
}

TensorProvider by_name(const json& network) {
  const double gain = network.value("gain", 1.0);
  return [gain](const WeightTable::Entry& entry) { return named_values(entry.name, entry.shape, gain); };
}

std::vector<std::pair<const Architecture*, ArchitectureMatch>> recognise_all(const WeightTable& table,
                                                                             const std::string& said) {
  std::vector<std::pair<const Architecture*, ArchitectureMatch>> found;
  for (const Architecture& architecture : builtin_models().architectures) {
    auto match = architecture.recognise(Weights(table));
    if (!match || (architecture.by_name && match->name != said)) continue;
    if (architecture.by_name && found.size() == 1) found.clear();  // its twin
    found.emplace_back(&architecture, std::move(*match));
  }
  return found;
}

BuiltNetwork build_network(const Architecture& architecture, const WeightTable& table, const TensorProvider& provider) {
  GraphBuilder builder = make_builder(table, provider);
  builder.output(architecture.build(builder, Weights(table), builder.input("images")));
  BuiltNetwork built;
  built.differences = differences(builder);
  built.module = finish(builder);
  return built;
}

at::Tensor run_network(const json& network, const GraphModule& module) {
  // As in Python: sums of convolutions are split between threads otherwise.
  at::set_num_threads(1);
  const auto shape = network.at("input").get<std::vector<std::int64_t>>();
  return jit::Program(module.graph).run({named_values("images", shape)}).toTensor();
}

double difference(const json& network, const at::Tensor& logits) {
  constexpr double kInfinite = std::numeric_limits<double>::infinity();
  const auto images = network.at("input")[0].get<std::int64_t>();
  const auto classes = network.at("classes").get<std::int64_t>();
  if (logits.sizes() != at::IntArrayRef({images, classes})) return kInfinite;
  double largest = 0.0;
  double scale = 0.0;
  const auto compare = [&](double ours, double theirs) { largest = std::max(largest, std::abs(ours - theirs)); };
  for (std::int64_t image = 0; image < images; ++image) {
    const at::Tensor row = logits[image].to(at::kDouble);
    const auto at_image = [&](const char* key) { return network.at(key)[static_cast<std::size_t>(image)]; };
    scale = std::max({scale, std::abs(at_image("max").get<double>()), std::abs(at_image("min").get<double>())});
    const json numbers = at_image(network.contains("logits") ? "logits" : "first");
    for (std::size_t i = 0; i < numbers.size(); ++i) {
      compare(row[static_cast<std::int64_t>(i)].item<double>(), numbers[i].get<double>());
    }
    compare(row.max().item<double>(), at_image("max").get<double>());
    compare(row.min().item<double>(), at_image("min").get<double>());
    // The norm adds up all logits' differences.
    const double root = std::sqrt(static_cast<double>(row.numel()));
    compare(row.norm().item<double>() / root, at_image("norm").get<double>() / root);
    if (row.argmax().item<std::int64_t>() != at_image("argmax").get<std::int64_t>()) return kInfinite;
  }
  return largest / scale;
}

}  // namespace ptrun::testing
