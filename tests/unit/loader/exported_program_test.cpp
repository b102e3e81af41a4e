// .pt2 files with one thing wrong each: a named error, never a result.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <functional>
#include <nlohmann/json.hpp>

#include "archive/zip.h"
#include "ptrun/model.h"
#include "support/expect_error.h"
#include "support/pt_bytes.h"
#include "support/scratch.h"

namespace ptrun {
namespace {

using nlohmann::json;

constexpr const char* kProgram = "models/model.json";
constexpr const char* kWeights = "data/weights/model_weights_config.json";

using Records = std::vector<test::ZipRecord>;

Records records_of(const std::string& name) {
  const auto zip = archive::ZipArchive::open(archive::open_file(std::string(PTRUN_TEST_DATA "/exported/") + name));
  Records records;
  for (const archive::ZipEntry& entry : zip->entries()) {
    test::ZipRecord& record = records.emplace_back();
    record.name = entry.name;
    record.data = zip->read(entry, 1U << 24U);
  }
  return records;
}

bool is(const test::ZipRecord& record, const std::string& name) {
  return record.name.size() > name.size() && record.name.substr(record.name.find('/') + 1) == name;
}

class DamagedProgram : public testing::Test {
 protected:
  void TearDown() override { std::filesystem::remove(path_); }

  void load(const Records& records) const {
    std::ofstream(path_, std::ios::binary) << test::zip_bytes(records);
    load_model(path_);
  }

  // The file with `record`'s JSON changed by `edit` has to be refused.
  void expect_refused(const char* record, const std::function<void(json&)>& edit, ErrorCode code,
                      const std::string& words) const {
    Records records = records_of("classifier_batch_1.pt2");
    for (test::ZipRecord& one : records) {
      if (!is(one, record)) continue;
      json text = json::parse(one.data);
      edit(text);
      one.data = text.dump();
    }
    test::expect_error(code, words, [&] { load(records); });
  }
  void expect_weights_refused(const std::function<void(json& meta)>& edit, ErrorCode code,
                              const std::string& words) const {
    expect_refused(
        kWeights, [&](json& text) { edit(text["config"]["head.bias"]); }, code, words);
  }
  void expect_node_refused(const std::function<void(json& nodes)>& edit, ErrorCode code,
                           const std::string& words) const {
    expect_refused(
        kProgram, [&](json& text) { edit(text["graph_module"]["graph"]["nodes"]); }, code, words);
  }

  const std::string path_ = test::scratch_path("program.pt2");
};

TEST_F(DamagedProgram, UnchangedItLoads) { EXPECT_NO_THROW(load(records_of("classifier_batch_1.pt2"))); }

TEST_F(DamagedProgram, WeightsOutsideTheirRecord) {
  const auto bad = ErrorCode::bad_model;
  const auto set = [](const char* key, json value) { return [=](json& meta) { meta["tensor_meta"][key] = value; }; };
  const std::string outside = "reach outside its record data/weights/";
  expect_weights_refused(set("sizes", {{{"as_int", 500}}}), bad, outside);
  expect_weights_refused(set("strides", {{{"as_int", 1LL << 62}}}), bad, outside);
  expect_weights_refused(set("storage_offset", {{"as_int", 1LL << 40}}), bad, outside);
  expect_weights_refused(set("storage_offset", {{"as_int", INT64_MAX}}), bad, outside);
  // LibTorch makes strides out of all sizes, also where a 0 leaves no element.
  const json none = {{{"as_int", 1LL << 62}}, {{"as_int", 8}}, {{"as_int", 0}}};
  expect_weights_refused(
      [&](json& meta) {
        meta["tensor_meta"]["sizes"] = none;
        meta["tensor_meta"]["strides"] = {{{"as_int", 1}}, {{"as_int", 1}}, {{"as_int", 1}}};
      },
      bad, outside);
  expect_weights_refused(set("dtype", 8), bad, outside);
  expect_weights_refused(set("sizes", {{{"as_int", -1}}}), bad, "sizes is -1, expected 0 or more");
  expect_weights_refused(set("strides", {{{"as_int", 1}}, {{"as_int", 1}}}), bad, "has 1 sizes and 2 strides");
  expect_weights_refused(set("sizes", json::array_t(100, {{"as_int", 1}})), bad, "has 100 dimensions, the limit is 64");
  expect_weights_refused(set("sizes", {{{"as_expr", {{"expr_str", "s0"}}}}}), bad, "is symbolic, expected a number");
  expect_weights_refused(set("sizes", 5), bad, "'sizes' is number, expected a list");
  expect_weights_refused(set("dtype", 99), bad, "dtype number 99 is not one of the schema");
  expect_weights_refused(set("layout", 2), ErrorCode::unsupported, "head.bias is sparse");
}

TEST_F(DamagedProgram, WeightsThatAreNotThere) {
  expect_weights_refused([](json& meta) { meta["path_name"] = "../../etc/passwd"; }, ErrorCode::bad_model,
                         "is missing");
  expect_weights_refused([](json& meta) { meta["use_pickle"] = true; }, ErrorCode::unsupported, "(pickled)");
  expect_weights_refused([](json& meta) { meta.erase("tensor_meta"); }, ErrorCode::bad_model,
                         "'tensor_meta' is missing");
  expect_refused(
      kWeights, [](json& text) { text["config"].erase("head.bias"); }, ErrorCode::bad_model,
      "the values of 'head.bias' are not in the archive");
  Records records = records_of("classifier_batch_1.pt2");
  records.erase(std::find_if(records.begin(), records.end(), [](const auto& one) { return is(one, kWeights); }));
  test::expect_error(ErrorCode::bad_model, "model_weights_config.json' is missing", [&] { load(records); });
}

TEST_F(DamagedProgram, OperatorsThatDoNotRun) {
  const auto target = [](const char* name) { return [=](json& nodes) { nodes[0]["target"] = name; }; };
  expect_node_refused(target("torch.ops.mylib.thing.default"), ErrorCode::unsupported,
                      "uses the operator mylib::thing, which LibTorch lacks");
  expect_node_refused(target("torch.ops.aten.conv2d.nonsense"), ErrorCode::unsupported, "which LibTorch lacks");
  expect_node_refused(target("os.system"), ErrorCode::unsupported, "uses the operator os.system");
  expect_node_refused(target("torch.ops.aten.from_file.default"), ErrorCode::unsupported, "opens files");
  expect_node_refused(target("torch.ops.aten.as_strided.default"), ErrorCode::unsupported, "--trust runs it");
  expect_node_refused(target("torch.ops.higher_order.scan"), ErrorCode::unsupported, "higher-order operator");
  expect_node_refused(
      [](json& nodes) {
        nodes[0]["inputs"][0]["arg"] = {{"as_custom_obj", {{"name", "o"}}}};
      },
      ErrorCode::unsupported, "an argument of kind as_custom_obj");
}

TEST_F(DamagedProgram, GraphsThatDoNotHoldTogether) {
  const auto bad = ErrorCode::bad_model;
  const json later = {{"as_tensor", {{"name", "linear_2"}}}};
  expect_node_refused([&](json& nodes) { nodes[0]["inputs"][0]["arg"] = later; }, bad,
                      "value 'linear_2' is used before it is made");
  expect_node_refused([](json& nodes) { nodes[1]["outputs"] = nodes[0]["outputs"]; }, bad, "is made twice");
  expect_node_refused(
      [](json& nodes) {
        nodes[0]["outputs"].push_back({{"as_tensor", {{"name", "more"}}}});
      },
      bad, "has 2 results, the operator gives 1");
  expect_node_refused([](json& nodes) { nodes[0]["inputs"][0]["name"] = "nonsense"; }, bad,
                      "has no argument 'nonsense'");
  expect_node_refused(
      [](json& nodes) {
        nodes[0]["inputs"][0]["arg"] = {{"as_string", "text"}};
      },
      bad, "arguments do not fit");
  expect_node_refused([](json& nodes) { nodes[0].erase("target"); }, bad, "nodes[0]: 'target' is missing");
  expect_node_refused(
      [](json& nodes) {
        nodes[0]["inputs"][0]["arg"] = {{"as_int", 1}, {"as_float", 1.0}};
      },
      bad, "has two members");
  expect_node_refused([](json& nodes) { nodes[0]["inputs"][0]["arg"] = {{"as_int", 1e30}}; }, bad, "as_int is number");
  expect_node_refused([](json& nodes) { nodes = json::array(); }, bad, "value 'linear_2' is used before it is made");
}

// A node of `inputs` and one output, before all others.
std::function<void(json&)> with_node(const std::string& target, const json& inputs, const std::string& output = "new") {
  return [=](json& nodes) {
    const json node = {{"target", target}, {"inputs", inputs}, {"outputs", {{{"as_tensor", {{"name", output}}}}}}};
    nodes.insert(nodes.begin(), node);
  };
}

TEST_F(DamagedProgram, WhatLibTorchThrowsNamesTheNode) {
  const auto bad = ErrorCode::bad_model;
  const json none = {{{"name", "tensors"}, {"arg", {{"as_optional_tensors", {{{"as_none", true}}}}}}}};
  expect_node_refused(with_node("torch.ops.aten.stack.default", none), bad,
                      "torch.ops.aten.stack.default: LibTorch refuses it (Expected a list element that subtypes");
  expect_node_refused(with_node("_operator.pos", json::array()), bad, "_operator.pos: has 0 arguments, expected 1");
  expect_node_refused(with_node("torch.sym_sum", json::array()), bad, "torch.sym_sum: has not one argument");
}

json size_argument(const std::vector<std::int64_t>& sizes) { return {{"name", "size"}, {"arg", {{"as_ints", sizes}}}}; }

TEST_F(DamagedProgram, LargeTensors) {
  const auto limit = ErrorCode::limit_exceeded;
  const std::string full = "torch.ops.aten.full.default";
  const json value = {{"name", "fill_value"}, {"arg", {{"as_int", 1}}}};
  expect_node_refused(with_node(full, {size_argument({100'000, 100'000}), value}), limit, "makes a tensor of about");
  const json one = {{"name", "self"}, {"arg", {{"as_tensor", {{"name", "small"}}}}}};
  expect_node_refused(
      [&](json& nodes) {
        with_node("torch.ops.aten.expand_copy.default", {one, size_argument({60'000'000, 8})})(nodes);
        with_node(full, {size_argument({1, 1}), value}, "small")(nodes);
      },
      limit, "with aten::expand_copy, the limit is");
  expect_node_refused(
      [&](json& nodes) {
        for (int i = 0; i < 6; ++i) with_node(full, {size_argument({200'000'000}), value}, std::to_string(i))(nodes);
      },
      limit, "makes tensors of about");
}

TEST_F(DamagedProgram, Limits) {
  expect_refused(
      kProgram,
      [](json& text) {
        json deep = json::array();
        for (int i = 0; i < 300; ++i) deep = json::array({deep});
        text["deep"] = deep;
      },
      ErrorCode::limit_exceeded, "deep in each other, the limit is 256");
  expect_refused(
      kProgram, [](json& text) { text["schema_version"]["major"] = 9; }, ErrorCode::unsupported,
      "is of schema 9.20 (PyTorch 2.15.0");
  expect_refused(
      kProgram,
      [](json& text) {
        text["range_constraints"]["s0"] = {{"min_val", 5}, {"max_val", 4}};
      },
      ErrorCode::bad_model, "range of 's0' is 5 to 4");
}

TEST_F(DamagedProgram, ArchivesOfAnotherForm) {
  Records records = records_of("classifier_batch_1.pt2");
  for (test::ZipRecord& record : records) {
    if (is(record, "byteorder")) record.data = "big";
  }
  test::expect_error(ErrorCode::unsupported, "byte order 'big'", [&] { load(records); });
  records = records_of("classifier_batch_1.pt2");
  for (test::ZipRecord& record : records) {
    if (!is(record, kProgram)) continue;
    test::ZipRecord second = record;
    record.name = "classifier_batch_1/models/a.json";
    second.name = "classifier_batch_1/models/b.json";
    records.push_back(second);
    break;
  }
  test::expect_error(ErrorCode::unsupported, "holds the programs", [&] { load(records); });
}

}  // namespace
}  // namespace ptrun
