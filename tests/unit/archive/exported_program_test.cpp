// The .pt2 reader: the program as plain data, size expressions, and what inputs are allowed.
#include "archive/exported_program.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "archive/exported_program_shapes.h"
#include "ptrun/error.h"

namespace ptrun::archive::exported {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

Archive open(const std::string& name) { return open_archive(open_file(std::string(PTRUN_TEST_DATA) + "/" + name)); }

struct Known final : Expression::Scope {
  std::optional<std::int64_t> symbol(const std::string& name) const override {
    return name == "s0" ? std::optional<std::int64_t>(6) : std::nullopt;
  }
  std::optional<std::int64_t> size(const std::string& path, std::int64_t dimension) const override {
    return path == "['x']" ? std::optional(dimension * 10) : std::nullopt;
  }
};

std::optional<std::int64_t> value(const std::string& text) {
  const auto expression = Expression::parse(text);
  return expression ? expression->evaluate(Known()) : std::nullopt;
}

TEST(Expression, SpellingOfSymPy) {
  EXPECT_EQ(value("Symbol('s0', positive=True, integer=True)"), 6);
  EXPECT_EQ(value("Add(Symbol('s0', integer=True), Integer(-2))"), 4);
  EXPECT_EQ(value("Mul(Integer(2), Symbol('s0', integer=True), Integer(3))"), 36);
  EXPECT_EQ(value("FloorDiv(Add(Symbol('s0'), Integer(-9)), Integer(2))"), -2);
  EXPECT_EQ(value("Max(Integer(1), Symbol('s0'))"), 6);
  EXPECT_EQ(value("Pow(Symbol('s0'), Integer(2))"), 36);
  EXPECT_EQ(value("CleanDiv(Symbol('s0'), Integer(4))"), std::nullopt);
}

TEST(Expression, SpellingOfPython) {
  EXPECT_EQ(value("2*s0 + 1"), 13);
  EXPECT_EQ(value("s0 - 1 - 2"), 3);
  EXPECT_EQ(value("-s0 // 4"), -2);
  EXPECT_EQ(value("-7 % 4"), 1);
  EXPECT_EQ(value("7 % -4"), -1);
  EXPECT_EQ(value("-9223372036854775807 % 10"), 3);  // 10 times the quotient leaves the range
  EXPECT_EQ(value("2**3**2"), 512);
  EXPECT_EQ(value("(s0 + 2) * 2"), 16);
  EXPECT_EQ(value("s0 >= 2 and s0 != 7"), 1);
  EXPECT_EQ(value("2 <= s0 <= 5"), 0);
  EXPECT_EQ(value("2 <= s0 <= 6 < 7"), 1);
  EXPECT_EQ(value("not s0 == 6 or False"), 0);
  EXPECT_EQ(value("L['x'].size()[2] % 8 == 4"), 1);
  EXPECT_EQ(value("L['y'].size()[2]"), std::nullopt);
}

TEST(Expression, WhatIsNotUnderstoodHasNoValue) {
  for (const char* text : {"", "s1", "s0 +", "(s0", "s0)", "1.5", "__import__('os')", "s0 if s0 else 1", "Foo(s0, 1)",
                           "s0 // 0", "2**63", "9223372036854775808", "9223372036854775807 + 1",
                           // The one quotient of integers that no integer holds.
                           "(-9223372036854775807 - 1)/-1", "(-9223372036854775807 - 1)//-1",
                           "(-9223372036854775807 - 1) % -1", "IntTrueDiv(-9223372036854775807 - 1, -1)"}) {
    EXPECT_EQ(value(text), std::nullopt) << text;
  }
  EXPECT_FALSE(Expression::parse(std::string(5000, '1')));
  EXPECT_FALSE(Expression::parse(std::string(1000, '(') + "1" + std::string(1000, ')')));
  std::string chains = "1";
  for (int i = 0; i < 20; ++i) chains = "1<(" + chains + ")<3";  // each level is parsed twice
  EXPECT_FALSE(Expression::parse(chains));
}

Program program_with(std::vector<Size> sizes, std::map<std::string, Range> ranges, std::vector<std::string> guards) {
  Program program;
  program.graph.tensors["x"] = {DType::float32, std::move(sizes)};
  program.ranges = std::move(ranges);
  program.guards = std::move(guards);
  return program;
}

TEST(ShapeRules, FixedRangesMultiplesAndGuards) {
  const Program program = program_with({{std::nullopt, "s0"}, {3, ""}, {std::nullopt, "32*s1"}, {std::nullopt, "s2"}},
                                       {{"s0", {2, 64}}, {"s1", {2, 10}}, {"s2", {8, -1}}},
                                       {"L['x'].size()[3] % 2 == 0", "L['x'].stride()[0] == 1"});
  const ShapeRules rules(program.graph.tensors.at("x"), program, true);
  ASSERT_EQ(rules.dimensions().size(), 4U);
  EXPECT_EQ(rules.dimensions()[0].minimum, 1);  // export's 2 is not meant
  EXPECT_EQ(rules.dimensions()[0].maximum, 64);
  EXPECT_EQ(rules.dimensions()[1].size, 3);
  EXPECT_EQ(rules.dimensions()[2].multiple, 32);
  EXPECT_EQ(rules.dimensions()[2].minimum, 32);
  EXPECT_EQ(rules.dimensions()[2].maximum, 320);
  EXPECT_THAT(rules.unknown_guards(), ElementsAre("L['x'].stride()[0] == 1"));
  EXPECT_EQ(rules.problem({1, 3, 64, 8}), "");
  EXPECT_THAT(rules.problem({65, 3, 64, 8}), HasSubstr("has 65 in dimension 0, expected 1 to 64"));
  EXPECT_THAT(rules.problem({1, 4, 64, 8}), HasSubstr("has 4 in dimension 1, expected 3"));
  EXPECT_THAT(rules.problem({1, 3, 65, 8}), HasSubstr("has 65 in dimension 2, expected a multiple of 32"));
  EXPECT_THAT(rules.problem({1, 3, 64, 7}), HasSubstr("has 7 in dimension 3, expected at least 8"));
  EXPECT_THAT(rules.problem({1, 3, 64, 9}), HasSubstr("does not fulfil L['x'].size()[3] % 2 == 0"));
  EXPECT_THAT(rules.problem({1, 3, 64}), HasSubstr("has 3 dimensions, expected 4"));
}

TEST(ShapeRules, AMultipleAndARest) {
  const Program program =
      program_with({{std::nullopt, "2*s0 + 1"}, {std::nullopt, "4*s1 - 1"}}, {{"s0", {2, 100}}}, {});
  const ShapeRules rules(program.graph.tensors.at("x"), program, true);
  EXPECT_EQ(rules.problem({17, 19}), "");
  EXPECT_THAT(rules.problem({16, 19}), HasSubstr("has 16 in dimension 0, expected a multiple of 2 plus 1"));
  EXPECT_THAT(rules.problem({17, 20}), HasSubstr("has 20 in dimension 1, expected a multiple of 4 plus 3"));
}

TEST(ShapeRules, AnExpressionWithoutSymbolsIsAFixedSize) {
  const Program program = program_with(
      {{std::nullopt, "Integer(224)"}, {std::nullopt, "1 // 0"}, {std::nullopt, "L['x'].size()[0]"}}, {}, {});
  const ShapeRules rules(program.graph.tensors.at("x"), program, true);
  EXPECT_EQ(rules.dimensions()[0].size, 224);
  EXPECT_EQ(rules.problem({224, 5, 5}), "");
  EXPECT_THAT(rules.problem({16, 5, 5}), HasSubstr("has 16 in dimension 0, expected 224"));
}

TEST(ShapeRules, NumbersAtTheEndOfTheRangeAreNoLine) {
  for (const char* text : {"s0 * 9223372036854775807", "s0 - 9223372036854775807 - 1",
                           "Max(s0, 1) * -9223372036854775807", "9223372036854775807 - 2 * s0 * 9223372036854775807"}) {
    const Program program = program_with({{std::nullopt, text}}, {}, {});
    EXPECT_EQ(ShapeRules(program.graph.tensors.at("x"), program, true).dimensions()[0].multiple, 1) << text;
  }
}

TEST(ShapeRules, ASymbolInTwoDimensions) {
  const Program program = program_with(
      {{std::nullopt, "Symbol('s0', integer=True)"}, {std::nullopt, "Mul(Integer(2), Symbol('s0'))"}}, {}, {});
  const ShapeRules rules(program.graph.tensors.at("x"), program, true);
  EXPECT_EQ(rules.problem({3, 6}), "");
  EXPECT_THAT(rules.problem({3, 8}), HasSubstr("has 8 in dimension 1, expected 6, which follows from dimension 0"));
}

TEST(ExportedProgram, IsReadAsData) {
  const Archive archive = open("exported/classifier.pt2");
  EXPECT_THAT(archive.program.torch_version, HasSubstr("2.15.0"));
  EXPECT_EQ(archive.program.schema_major, 8);
  EXPECT_EQ(archive.program.part, "models/model.json");
  EXPECT_EQ(archive.weights.count("stem.weight"), 1U);
  EXPECT_EQ(archive.constants.count("scale"), 1U);
  EXPECT_EQ(archive.constants.count("shift"), 1U);
  const Place place = archive.weights.at("head.weight");
  EXPECT_THAT(archive.files[place.file]->tensors()[place.tensor].shape, ElementsAre(5, 8));
  EXPECT_THAT(list_operators(archive.program.graph), Contains("aten::conv2d"));
  ASSERT_EQ(archive.program.ranges.size(), 1U);
  EXPECT_EQ(archive.program.ranges.begin()->second.maximum, 64);
}

TEST(ExportedProgram, OlderLayouts) {
  for (const char* name : {"exported/old_2_6_0.pt2", "exported/old_2_9_1.pt2", "exported/old_2_11_0.pt2"}) {
    const Archive archive = open(name);
    EXPECT_EQ(archive.weights.count("stem.weight"), 1U) << name;
    EXPECT_EQ(archive.constants.count("scale"), 1U) << name;
    EXPECT_EQ(archive.program.graph.outputs.size(), 1U) << name;
    EXPECT_THAT(archive.program.guards, IsEmpty()) << name;
  }
}

TEST(ExportedProgram, OutputTrees) {
  const Archive archive = open("exported/nested.pt2");
  ASSERT_TRUE(archive.program.output_tree);
  const Tree& tree = *archive.program.output_tree;
  EXPECT_EQ(tree.kind, Tree::Kind::dict);
  EXPECT_THAT(tree.keys, ElementsAre("maps", "summary", "more"));
  ASSERT_EQ(tree.children.size(), 3U);
  EXPECT_EQ(tree.children[0].kind, Tree::Kind::list);
  EXPECT_EQ(tree.children[1].kind, Tree::Kind::tuple);
  EXPECT_THAT(tree.children[1].children[1].keys, ElementsAre("low", "high"));
  EXPECT_THAT(tree.children[2].keys, ElementsAre("top", "height"));
}

TEST(ExportedProgram, GraphsInsideTheGraphAreSearchedForOperators) {
  const auto names = list_operators(open("exported/branches.pt2").program.graph);
  EXPECT_THAT(names, Contains("higher_order.cond"));
  EXPECT_THAT(names, Contains("aten::sub"));  // only in a branch
}

TEST(ExportedProgram, InfinityWithoutQuotesAsOldVersionsWriteIt) {
  const std::string text =
      R"({"graph_module":{"graph":{"inputs":[{"as_tensor":{"name":"x"}}],"outputs":[{"as_tensor":{"name":"y"}}],)"
      R"("nodes":[{"target":"torch.ops.aten.clamp.default","inputs":[{"name":"self","arg":{"as_tensor":{"name":"x"}}},)"
      R"({"name":"max","arg":{"as_float":Infinity}},{"name":"min","arg":{"as_float":"-Infinity"}}],)"
      R"("outputs":[{"as_tensor":{"name":"y"}}],"metadata":{"stack_trace":"Infinity \" NaN"}}],"tensor_values":{}},)"
      R"("signature":{"input_specs":[{"user_input":{"arg":{"as_tensor":{"name":"x"}}}}],)"
      R"("output_specs":[{"user_output":{"arg":{"as_tensor":{"name":"y"}}}}]}},)"
      R"("range_constraints":{},"schema_version":{"major":8,"minor":2}})";
  const Program program = read_program(text, "model.pt2", "models/model.json");
  EXPECT_EQ(program.graph.nodes[0].inputs[1].value.real, std::numeric_limits<double>::infinity());
  EXPECT_EQ(program.graph.nodes[0].inputs[2].value.real, -std::numeric_limits<double>::infinity());
}

}  // namespace
}  // namespace ptrun::archive::exported
