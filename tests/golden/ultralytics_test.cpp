// Models of ultralytics' and YOLOv5's classes against Python's numbers. The pickles are written here, from the trees in
// tests/data/ultralytics: which class stands where with which settings; parameters come from their names.
#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "executor/executor.h"
#include "golden/named_values.h"
#include "ptrun/error.h"
#include "support/pt_bytes.h"
#include "support/scratch.h"

namespace ptrun {
namespace {

using json = nlohmann::ordered_json;  // layers stand in their order
using test::PickleBytes;

constexpr double kTolerance = 1e-4;  // of the norm and of the largest number

json read_tree(const std::string& name) {
  std::ifstream file(std::string(PTRUN_TEST_DATA) + "/ultralytics/" + name + ".json");
  return json::parse(file);
}

// Writes torch.save(model) of a tree.
class TreeWriter {
 public:
  explicit TreeWriter(const json& tree) : nodes_(tree.at("nodes")), size_(tree.value("imgsz", 0)) {
    module(tree.at("root"), "");
  }
  std::string zip() { return test::torch_zip(pickle_.stop(), storages_); }

 private:
  using Storages = std::vector<std::pair<std::string, std::string>>;

  static const json& part(const json& node, const std::string& name) {
    static const json kNone = json::object();
    const auto found = node.find(name);
    return found == node.end() ? kNone : *found;
  }

  void global(const std::string& path) {
    const std::size_t dot = path.rfind('.');
    pickle_.global(path.substr(0, dot), path.substr(dot + 1));
  }

  void tensor(const at::Tensor& values) {
    const std::string key = std::to_string(storages_.size());
    const at::Tensor flat = values.contiguous();
    storages_.emplace_back(key, std::string(static_cast<const char*>(flat.const_data_ptr()), flat.nbytes()));
    const char* storage = flat.scalar_type() == at::kLong ? "LongStorage" : "FloatStorage";
    pickle_.tensor(storage, key, flat.numel(), 0, flat.sizes().vec(), flat.strides().vec());
  }

  void value(const json& item) {
    if (item.is_object() && item.contains("tensor")) {
      tensor(at::tensor(item["tensor"].get<std::vector<float>>()));
    } else if (item.is_object() && item.contains("method")) {
      // getattr(object, name); which object is of no account here.
      pickle_.global("__builtin__", "getattr").mark().none().text(item["method"].get<std::string>()).tuple().reduce();
    } else if (item.is_object()) {
      pickle_.raw("}").mark();
      for (std::size_t i = 0; i < item["names"].size(); ++i) {
        pickle_.integer(static_cast<std::int64_t>(i)).text(item["names"][i].get<std::string>());
      }
      pickle_.raw("u");
    } else if (item.is_array()) {
      pickle_.raw("]").mark();
      for (const json& element : item) value(element);
      pickle_.raw("e");
    } else if (item.is_boolean()) {
      pickle_.boolean(item.get<bool>());
    } else if (item.is_number_integer()) {
      pickle_.integer(item.get<std::int64_t>());
    } else if (item.is_number()) {
      pickle_.real(item.get<double>());
    } else {
      pickle_.text(item.get<std::string>());
    }
  }

  void tensors(const json& node, const std::string& kind, const std::string& place) {
    pickle_.text("_" + kind).ordered_dict().mark();
    for (const auto& [name, shape] : part(node, kind).items()) {
      pickle_.text(name);
      if (shape.is_null()) {
        pickle_.none();
      } else {
        tensor(testing::named_values(place + name, shape.get<std::vector<std::int64_t>>()));
      }
    }
    pickle_.raw("u");
  }

  // NOLINTNEXTLINE(misc-no-recursion): as deep as the committed trees
  void module(std::size_t index, const std::string& place) {
    const json& node = nodes_.at(index);
    global(node.at("class"));
    pickle_.raw(")\x81}").mark();
    tensors(node, "parameters", place);
    tensors(node, "buffers", place);
    pickle_.text("_modules").ordered_dict().mark();
    for (const auto& [name, child] : part(node, "children").items()) {
      pickle_.text(name);
      if (child.is_null()) {
        pickle_.none();
      } else {
        module(child.get<std::size_t>(), place + name + ".");
      }
    }
    pickle_.raw("u");
    for (const auto& [name, item] : part(node, "settings").items()) {
      pickle_.text(name);
      value(item);
    }
    if (place.empty() && size_ > 0) pickle_.text("args").raw("}").text("imgsz").integer(size_).raw("s");
    pickle_.raw("ub");
  }

  const json& nodes_;
  std::int64_t size_;
  PickleBytes pickle_;
  Storages storages_;
};

std::string write_model(const std::string& name, const json& tree) {
  const std::string path = test::scratch_path(name + ".pt");
  std::ofstream(path, std::ios::binary) << TreeWriter(tree).zip();
  return path;
}

std::vector<at::Tensor> outputs_of(const Model& model, const json& run) {
  const auto shape = run.at("input").get<std::vector<std::int64_t>>();
  ExecutorOptions options;
  options.batch_size = static_cast<int>(shape[0]);
  const c10::IValue result = Executor(model, options).run(testing::named_values("images", shape));
  if (result.isTensor()) return {result.toTensor()};
  std::vector<at::Tensor> tensors;
  for (const c10::IValue& item : result.toTupleRef().elements()) tensors.push_back(item.toTensor());
  return tensors;
}

void expect_equal(const at::Tensor& output, const json& expected) {
  ASSERT_EQ(output.sizes().vec(), expected.at("shape").get<std::vector<std::int64_t>>());
  if (expected.contains("rows")) {
    for (const json& row : expected["rows"]) {
      const at::Tensor wanted = at::tensor(row[2].get<std::vector<double>>(), at::kDouble);
      const at::Tensor found = output[row[0].get<std::int64_t>()][row[1].get<std::int64_t>()].to(at::kDouble);
      EXPECT_LE((found - wanted).abs().max().item<double>(), kTolerance * wanted.abs().max().item<double>()) << row;
    }
    return;
  }
  const at::Tensor flat = output.to(at::kDouble).flatten();
  const double norm = expected.at("norm");
  EXPECT_NEAR(flat.norm().item<double>(), norm, kTolerance * norm);
  const at::Tensor values = at::tensor(expected.at("values").get<std::vector<double>>(), at::kDouble);
  const std::int64_t step = expected.at("step");
  const at::Tensor found = flat.slice(0, 0, flat.numel(), step);
  ASSERT_EQ(found.numel(), values.numel());
  EXPECT_LE((found - values).abs().max().item<double>(), kTolerance * values.abs().max().item<double>());
}

struct Case {
  const char* name;
  Task task;
};

class Ultralytics : public ::testing::TestWithParam<Case> {};

TEST_P(Ultralytics, EqualsPython) {
  const json tree = read_tree(GetParam().name);
  const Model model = load_model(write_model(GetParam().name, tree));
  EXPECT_EQ(model.task(), GetParam().task);
  EXPECT_THAT(model.labels().names, ::testing::ElementsAre("cat", "raccoon", "rocket"));
  ASSERT_GE(tree.at("runs").size(), 2U);
  for (const json& run : tree.at("runs")) {
    SCOPED_TRACE(run.at("input").dump());
    const std::vector<at::Tensor> outputs = outputs_of(model, run);
    ASSERT_EQ(outputs.size(), run.at("outputs").size());
    for (std::size_t i = 0; i < outputs.size(); ++i) expect_equal(outputs[i], run["outputs"][i]);
  }
}

INSTANTIATE_TEST_SUITE_P(All, Ultralytics,
                         ::testing::Values(Case{"detect", Task::detect}, Case{"gelan", Task::detect},
                                           Case{"gelan_fused", Task::detect}, Case{"v10", Task::detect},
                                           Case{"v10_end2end", Task::detect}, Case{"v10_fused", Task::detect},
                                           Case{"v11_segment", Task::segment}, Case{"v12_pose", Task::keypoints},
                                           Case{"v11_obb", Task::detect}, Case{"v26_segment", Task::segment},
                                           Case{"v26_pose", Task::keypoints}, Case{"v26_obb", Task::detect},
                                           Case{"v26_semantic", Task::segment}, Case{"classify", Task::classify},
                                           Case{"yolov5", Task::detect}, Case{"yolov5_segment", Task::segment}),
                         [](const ::testing::TestParamInfo<Case>& row) { return std::string(row.param.name); });

TEST(Ultralytics, PreprocessingComesFromInsideTheFile) {
  const Model detector = load_model(write_model("detect", read_tree("detect")));
  const Preset& preset = detector.preset().values;
  EXPECT_EQ(preset.input_height, 96);
  EXPECT_EQ(preset.input_width, 96);
  EXPECT_EQ(preset.resize_mode, ResizeMode::letterbox);
  EXPECT_EQ(preset.resize_backend, ResizeBackend::opencv);
  EXPECT_EQ(preset.pad_value, 114);
  EXPECT_THAT(preset.mean, ::testing::Each(0.0));
  EXPECT_THAT(preset.std, ::testing::Each(1.0));
  EXPECT_EQ(detector.preset().origins.at("resize_mode").source, "inside the file");

  const Model classifier = load_model(write_model("classify", read_tree("classify")));
  EXPECT_EQ(classifier.preset().values.resize_mode, ResizeMode::shortest);
  EXPECT_EQ(classifier.preset().values.crop_pct, 1.0);
  EXPECT_EQ(classifier.preset().values.input_width, 96);
}

// The first node of class `name`.
json& node_of(json& tree, const std::string& name) {
  for (json& node : tree.at("nodes")) {
    const auto path = node.at("class").get<std::string>();
    if (path.size() > name.size() && path.substr(path.size() - name.size() - 1) == "." + name) return node;
  }
  throw std::runtime_error("no " + name);
}

struct Damage {
  const char* what;
  void (*change)(json& tree);
  const char* message;
};

class DamagedUltralytics : public ::testing::TestWithParam<Damage> {};

TEST_P(DamagedUltralytics, IsRefusedByName) {
  json tree = read_tree("detect");
  GetParam().change(tree);
  try {
    load_model(write_model("damaged", tree));
    FAIL() << "was accepted";
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), ::testing::HasSubstr(GetParam().message));
  }
}

INSTANTIATE_TEST_SUITE_P(
    All, DamagedUltralytics,
    ::testing::Values(
        Damage{"LaterLayer",
               [](json& tree) {
                 node_of(tree, "Concat")["settings"]["f"] = {-1, 40};
               },
               "takes its input from layer 40, which does not come before it"},
        Damage{"NoLayerIndex", [](json& tree) { node_of(tree, "Concat")["settings"].erase("f"); }, "'f'"},
        Damage{"NoStrides", [](json& tree) { node_of(tree, "Detect")["settings"].erase("stride"); }, "'stride'"},
        Damage{"ZeroStride",
               [](json& tree) {
                 node_of(tree, "Detect")["settings"]["stride"] = {{"tensor", {0.0, 16.0}}};
               },
               "stride that is not positive"},
        Damage{"OneStride",
               [](json& tree) {
                 node_of(tree, "Detect")["settings"]["stride"] = {{"tensor", {8.0}}};
               },
               "has 1 strides for 2 feature maps"},
        Damage{"ManyBins", [](json& tree) { node_of(tree, "DFL")["settings"]["c1"] = 1 << 30; }, "bins"},
        Damage{"OwnForward",
               [](json& tree) {
                 node_of(tree, "Conv")["settings"]["forward"] = {{"method", "forward_other"}};
               },
               "forward function of its own"},
        Damage{"UnknownHead", [](json& tree) { node_of(tree, "Detect")["class"] = "ultralytics.nn.modules.head.New"; },
               "ultralytics.nn.modules.head.New at model.9"}),
    [](const ::testing::TestParamInfo<Damage>& row) { return std::string(row.param.what); });

}  // namespace
}  // namespace ptrun
