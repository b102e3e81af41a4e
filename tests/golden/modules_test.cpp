// Whole pickled modules, one for every rule of torch.nn, against Python's numbers (scripts/fixtures/make_modules.py).
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "golden/torchscript_golden.h"
#include "ptrun/error.h"
#include "ptrun/inspect.h"
#include "ptrun/models.h"
#include "support/scratch.h"

namespace ptrun::test {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

const std::string kFolder = PTRUN_TEST_DATA "/modules";
constexpr double kTolerance = 1e-5;

// The forward functions of scripts/fixtures/modules_net.py, as a program that brings its own rules would write them.
Values unpool(ModuleWriter& w, const PickledModule& m, const Values& in) {
  return w.forward(m.child("unpool"), w.forward(m.child("pool"), in));
}

Values attend(ModuleWriter& w, const PickledModule& m, const Values& in) {
  GraphBuilder& g = w.graph();
  const PickledModule attention = m.child("attention");
  const bool batch_first = attention.boolean("batch_first");
  const auto turned = [&](Value x) {
    return batch_first ? x : g.op("aten::transpose.int", {x, std::int64_t{0}, std::int64_t{1}});
  };
  const Value x = g.op("aten::transpose.int", {g.flatten(w.only(m, in), 2), std::int64_t{1}, std::int64_t{2}});
  const Value few =
      g.op("aten::slice.Tensor", {x, std::int64_t{1}, std::int64_t{0}, std::int64_t{1000}, std::int64_t{2}});
  Values result = w.forward(attention, {turned(x), turned(few), turned(few)});
  result.items[0] = turned(result.items[0]);
  return result;
}

Value sequence(ModuleWriter& w, const PickledModule& m, Value x) {
  GraphBuilder& g = w.graph();
  return w.forward(m.child("inner"), g.op("aten::transpose.int", {g.flatten(x, 2), std::int64_t{1}, std::int64_t{2}}));
}

Values twice(ModuleWriter& w, const PickledModule& m, const Values& in) {
  const Value x = w.only(m, in);
  return w.forward(m.child("inner"), {x, w.graph().op("aten::flip", {x, std::vector<std::int64_t>{-1}})});
}

Value lookup(ModuleWriter& w, const PickledModule& m, Value x) {
  GraphBuilder& g = w.graph();
  const Value above = g.op("aten::gt.Scalar", {x, 0.5});
  return w.forward(m.child("table"), g.op("aten::to.dtype", {above, DType::int64}));
}

// archive_net.Net of the fixtures that old versions of PyTorch wrote.
Value archive_net(ModuleWriter& w, const PickledModule& m, Value x) {
  return w.forward(m.child("fc"), w.graph().mean(w.forward(m.child("features"), x), {2, 3}));
}

const ModelTables& tables() {
  static const ModelTables kTables = [] {
    ModelTables tables = builtin_models();
    tables.modules.push_back({{"modules_net.Unpool"}, unpool});
    tables.modules.push_back({{"modules_net.Attend"}, attend});
    tables.modules.push_back({{"modules_net.Sequence"}, one_tensor<sequence>});
    tables.modules.push_back({{"modules_net.Twice"}, twice});
    tables.modules.push_back({{"modules_net.Lookup"}, one_tensor<lookup>});
    tables.modules.push_back({{"archive_net.Net"}, one_tensor<archive_net>});
    return tables;
  }();
  return kTables;
}

LoadOptions options() {
  LoadOptions options;
  options.models = &tables();
  options.preset.input_height = 6;
  options.preset.input_width = 7;
  return options;
}

class Modules : public ::testing::TestWithParam<GoldenCase> {};

TEST_P(Modules, EqualPython) {
  const auto& sizes = GetParam().expected.at("runs")[0].at("sizes");
  LoadOptions with = options();
  with.preset.input_height = sizes[1].get<int>();
  with.preset.input_width = sizes[2].get<int>();
  const Comparison result = compare(kFolder, GetParam().expected, kTolerance, with);
  for (const std::string& wrong : result.wrong) ADD_FAILURE() << result.file << ": " << wrong;
  EXPECT_GT(result.elements, 0U);
}

INSTANTIATE_TEST_SUITE_P(Leaves, Modules, ::testing::ValuesIn(golden_cases(kFolder)),
                         [](const auto& one) { return one.param.name; });

Error error_of(const std::string& file, LoadOptions with = options()) {
  try {
    load_model(kFolder + "/" + file, with);
  } catch (const Error& error) {
    return error;
  }
  ADD_FAILURE() << file << " was loaded";
  return {ErrorCode::internal, "", ""};
}

TEST(ModuleErrors, UnknownClassesAreListedWithTheirPlacesAndTheWayOut) {
  const Error error = error_of("unknown.pt");
  EXPECT_EQ(error.code(), ErrorCode::unsupported);
  EXPECT_THAT(error.what(), AllOf(HasSubstr("2 classes"), HasSubstr("modules_net.Unknown (the model itself)"),
                                  HasSubstr("modules_net.Strange at body.1"), Not(HasSubstr("Conv2d")),
                                  HasSubstr("torch.jit.trace(torch.load('"),
                                  HasSubstr("unknown.pt', map_location='cpu', "
                                            "weights_only=False).float().eval(), "
                                            "torch.rand(1, 3, 224, 224)).save(")));
}

TEST(ModuleErrors, HooksAreNotSilentlyLeftOut) {
  EXPECT_THAT(error_of("hooked.pt").what(), HasSubstr("Conv2d at 0 has a forward hook ("));
}

// The root's class and the names of its tensors are torchvision's; what it computes is not.
TEST(ModuleErrors, ChangedNetworksAreNotTakenForTheirClass) {
  EXPECT_THAT(error_of("resnet_strange.pt").what(),
              AllOf(HasSubstr("modules_net.Strange at layer2.0.relu"), HasSubstr("torch.jit.trace(")));
  EXPECT_THAT(error_of("resnet_hooked.pt").what(), HasSubstr("Sequential at layer2 has a forward hook ("));
  InspectOptions with;
  with.models = &tables();
  for (const char* file : {"resnet_strange.pt", "resnet_hooked.pt"}) {
    EXPECT_FALSE(inspect(kFolder + "/" + file, with).runnable) << file;
  }
}

TEST(ModuleFacts, ASizeThatTheLayersFixIsThePreset) {
  for (const auto& [file, side] : {std::pair{"vit.pt", 12}, std::pair{"maxvit.pt", 32}}) {
    LoadOptions with;
    with.models = &tables();
    const Model model = load_model(kFolder + "/" + file, with);
    EXPECT_EQ(model.preset().values.input_height, side) << file;
    EXPECT_EQ(model.preset().values.input_width, side) << file;
    EXPECT_FALSE(model.preset().origins.at("input_height").assumed) << file;
    EXPECT_THAT(model.preset().origins.at("input_height").source, HasSubstr("inside the file")) << file;
  }
}

TEST(ModuleFacts, TheSidecarsSizeIsTriedFirst) {
  const std::string path = scratch_path("legacy.pt").string();
  std::filesystem::copy_file(kFolder + "/legacy.pt", path, std::filesystem::copy_options::overwrite_existing);
  std::ofstream(path + ".ptrun.json") << R"({"input_size": "6x7"})";
  LoadOptions with;
  with.models = &tables();
  EXPECT_EQ(load_model(path, with).preset().values.input_width, 7);
  std::filesystem::remove(path + ".ptrun.json");
  std::filesystem::remove(path);
}

TEST(ModuleErrors, NormsOverTheBatchAreRefused) {
  EXPECT_THAT(error_of("untracked.pt").what(), HasSubstr("BatchNorm2d at 0 keeps no running statistics"));
}

TEST(ModuleErrors, AnImageSizeThatDoesNotFitIsToldWithTheWayOut) {
  LoadOptions with = options();
  with.preset.input_height = 9;
  const Error error = error_of("legacy.pt", with);
  EXPECT_EQ(error.code(), ErrorCode::bad_model);
  EXPECT_THAT(error.what(), AllOf(HasSubstr("cannot be multiplied (1x"), HasSubstr("--input-size")));
}

}  // namespace
}  // namespace ptrun::test
