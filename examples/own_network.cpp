// example_own_network WEIGHTS PHOTO: a network, a preprocessing and labels that ptrun does not know, brought by the
// program. The weights are a state_dict of own_stem (convolution) and own_head (linear).
#include <ptrun/error.h>
#include <ptrun/predictor.h>

#include <cstdio>

namespace {

// Nothing when the file holds another network: the next row of the table is asked.
std::optional<ptrun::ArchitectureMatch> recognise(const ptrun::Weights& weights) {
  if (!weights.has("own_stem.weight") || !weights.has("own_head.weight")) return std::nullopt;
  ptrun::ArchitectureMatch match;
  match.name = "own";
  match.classes = weights.size("own_head.weight", 0);
  return match;
}

// The forward function, written down once; weights are found by their names.
ptrun::Value build(ptrun::GraphBuilder& graph, const ptrun::Weights& weights, ptrun::Value x) {
  ptrun::Conv2dOptions options;
  options.stride = 2;
  options.groups = 1;
  x = graph.relu(graph.conv2d(weights / "own_stem", x, options));
  return graph.linear(weights / "own_head", graph.mean(x, {2, 3}));
}

}  // namespace

int main(int, char** argv) try {
  ptrun::Architecture own;
  own.family = "own";
  own.source = "examples/own_network.cpp";
  own.variants = {"own"};
  own.recognise = recognise;
  own.build = build;
  ptrun::ModelTables tables = ptrun::builtin_models();
  tables.architectures.push_back(own);

  ptrun::LoadOptions options;
  options.models = &tables;
  options.labels = {"low", "middle", "high"};
  for (const auto& [field, value] :
       {std::pair("input_size", "64"), std::pair("crop_pct", "1"), std::pair("mean", "0.5"), std::pair("std", "0.5")}) {
    ptrun::set_preset_field(options.preset, field, value);
  }
  ptrun::Predictor predictor(ptrun::load_model(argv[1], options));
  ptrun::Input photo;
  photo.path = argv[2];
  const ptrun::Outcome outcome = predictor.predict(photo);
  if (!outcome.ok()) throw ptrun::Error(ptrun::ErrorCode::bad_image, "", outcome.failure.message);
  for (const ptrun::ClassScore& score : outcome.prediction->classes) {
    std::printf("%s %.5f\n", score.label.c_str(), score.score);
  }
} catch (const std::exception& error) {
  std::fprintf(stderr, "%s\n", error.what());
  return 1;
}
