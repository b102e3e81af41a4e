// The table of weights, the views of it, and where checkpoints keep theirs.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "archive/weight_table.h"
#include "ptrun/graph.h"
#include "support/expect_error.h"
#include "support/pt_bytes.h"

namespace ptrun::archive {
namespace {

using test::expect_error;
using test::PickleBytes;
using testing::ElementsAre;

WeightTable table_of(const std::vector<std::string>& names) {
  WeightTable table;
  for (const std::string& name : names) table.add({name, DType::float32, {2, 3}, 0});
  return table;
}

TEST(WeightTable, FindsNamesAndPrefixes) {
  const WeightTable table = table_of({"layer1.0.weight", "layer10.weight", "fc"});
  EXPECT_NE(table.find("fc"), nullptr);
  EXPECT_EQ(table.find("layer1"), nullptr);
  EXPECT_TRUE(table.has_prefix("layer1"));
  EXPECT_TRUE(table.has_prefix("layer1.0"));
  EXPECT_TRUE(table.has_prefix("fc"));
  EXPECT_FALSE(table.has_prefix("layer"));
  EXPECT_TRUE(table.has_prefix(""));
  EXPECT_THAT(table.below("layer1"), ElementsAre(0));
  EXPECT_THAT(table.below(""), ElementsAre(0, 1, 2));
}

TEST(WeightTable, RefusesANameTwice) {
  WeightTable table = table_of({"a"});
  expect_error(ErrorCode::bad_model, "tensor 'a': is named twice", [&] { table.add({"a", DType::float32, {}, 0}); });
}

TEST(Weights, WalkStructureByNames) {
  const WeightTable table =
      table_of({"layers.10.w", "layers.2.w", "layers.norm.w", "layers.0.w", "layers.02.w", "head.weight"});
  const Weights all(table);
  EXPECT_THAT(all.child_names(), ElementsAre("layers", "head"));
  const Weights layers = all / "layers";
  EXPECT_THAT(layers.child_names(), ElementsAre("0", "02", "2", "10", "norm"));
  EXPECT_EQ(layers.count(), 4U);
  std::vector<std::string> prefixes;
  for (const Weights& item : layers.items()) prefixes.push_back(item.prefix());
  EXPECT_THAT(prefixes, ElementsAre("layers.0", "layers.02", "layers.2", "layers.10"));
  EXPECT_EQ((layers / "2").name(), "2");
  EXPECT_EQ(all.name(), "");
  EXPECT_TRUE(layers.has("norm"));
  EXPECT_FALSE(layers.has("n"));
  EXPECT_EQ((all / "head").size("weight", 1), 3);
  EXPECT_EQ((all / "head").size("weight", 2), 0);
  EXPECT_EQ((all / "head").size("bias", 0), 0);
  EXPECT_EQ((all / "head").dtype("weight"), DType::float32);
  EXPECT_EQ((all / "head").dtype("bias"), DType::unknown);
  EXPECT_EQ((all / "head").shape("weight"), (std::vector<std::int64_t>{2, 3}));
  EXPECT_EQ((all / "head").shape("bias"), std::nullopt);
}

// {KEY: {"w": tensor}, ...} for the given keys, "" for {"w": tensor} itself.
FoundWeights find_in(const PickleBytes& pickle) {
  const std::string bytes = test::torch_zip(pickle.stop(), {{"0", std::string(24, '\0')}});
  return find_weights(*TensorFile::open(from_memory("model.pt", bytes), Kind::torch_save_zip));
}

PickleBytes& add_weight(PickleBytes& pickle, const std::string& name) {
  return pickle.text(name).tensor("FloatStorage", "0", 6, 0, {2, 3}, {3, 1}).raw("s");
}

PickleBytes& add_dict(PickleBytes& pickle, const std::string& key, const std::vector<std::string>& names) {
  pickle.text(key).raw("}");
  for (const std::string& name : names) add_weight(pickle, name);
  return pickle.raw("s");
}

TEST(FindWeights, TakesEveryUsualKey) {
  for (const char* key : {"state_dict_ema", "model_ema", "state_dict", "model_state_dict", "model", "net", "network",
                          "weights", "params", "params_ema", "ema", "generator", "student", "teacher"}) {
    PickleBytes pickle;
    pickle.raw("}").text("epoch").integer(3).raw("s");
    const FoundWeights found = find_in(add_dict(pickle, key, {"w"}));
    EXPECT_EQ(found.where, key);
    EXPECT_NE(found.table.find("w"), nullptr);
  }
}

TEST(FindWeights, PrefersEmaAndSaysSo) {
  PickleBytes pickle;
  pickle.raw("}");
  add_dict(pickle, "state_dict", {"plain"});
  const FoundWeights found = find_in(add_dict(pickle, "model_ema", {"averaged"}));
  EXPECT_EQ(found.where, "model_ema");
  ASSERT_EQ(found.notes.size(), 1U);
  EXPECT_THAT(found.notes[0], testing::HasSubstr("EMA weights 'model_ema' are used, not 'state_dict'"));
}

TEST(FindWeights, LooksIntoTwoLevels) {
  PickleBytes pickle;
  pickle.raw("}").text("model").raw("}");
  add_dict(pickle, "state_dict", {"w"}).raw("s");
  EXPECT_EQ(find_in(pickle).where, "model.state_dict");
}

TEST(FindWeights, TakesTheOnlyUnusualKey) {
  PickleBytes pickle;
  pickle.raw("}").text("epoch").integer(3).raw("s");
  const FoundWeights found = find_in(add_dict(pickle, "my_net", {"w"}));
  EXPECT_EQ(found.where, "my_net");
  EXPECT_THAT(found.notes, ElementsAre(testing::HasSubstr("taken from key 'my_net'")));
}

TEST(FindWeights, StripsSharedPrefixesRepeatedly) {
  PickleBytes shared;
  shared.raw("}");
  add_weight(shared, "module.model.conv.weight");
  const FoundWeights stripped = find_in(add_weight(shared, "module.model.fc.weight"));
  EXPECT_EQ(stripped.stripped_prefix, "module.model.");
  EXPECT_NE(stripped.table.find("fc.weight"), nullptr);
  PickleBytes mixed;
  mixed.raw("}");
  add_weight(mixed, "module.conv.weight");
  const FoundWeights kept = find_in(add_weight(mixed, "fc.weight"));
  EXPECT_EQ(kept.stripped_prefix, "");
  EXPECT_NE(kept.table.find("module.conv.weight"), nullptr);
}

TEST(FindWeights, LeavesOutWhatTrainingKeepsBesideTheNetwork) {
  PickleBytes pickle;
  pickle.raw("}");
  for (const char* name : {"n_averaged", "criterion.weight", "loss_fn.pos_weight", "module.conv.weight"}) {
    add_weight(pickle, name);
  }
  const FoundWeights found = find_in(add_weight(pickle, "module.loss_head.weight"));
  EXPECT_EQ(found.stripped_prefix, "module.");
  EXPECT_EQ(found.table.entries().size(), 2U);
  EXPECT_NE(found.table.find("loss_head.weight"), nullptr);
  EXPECT_THAT(found.notes, ElementsAre(testing::HasSubstr("left out: 'n_averaged', 'criterion.weight'")));
  // Without a wrapper's name in front of the rest, a "loss" is a layer like others.
  PickleBytes plain;
  plain.raw("}");
  add_weight(plain, "loss.weight");
  EXPECT_EQ(find_in(add_weight(plain, "conv.weight")).table.entries().size(), 2U);
}

TEST(FindWeights, PrefersAveragedTwinsUnderTheirPrefix) {
  PickleBytes pickle;
  pickle.raw("}");
  for (const char* name : {"model.a", "model.b", "ema_model.module.a", "ema_model.module.b"}) add_weight(pickle, name);
  const FoundWeights found = find_in(pickle);
  EXPECT_EQ(found.stripped_prefix, "ema_model.module.");
  EXPECT_EQ(found.table.entries().size(), 2U);
  EXPECT_THAT(found.notes, ElementsAre(testing::HasSubstr("EMA weights 'ema_model.' are used, not their twins")));
  PickleBytes halves;
  halves.raw("}");
  for (const char* name : {"model.a", "model.b", "ema_model.a"}) add_weight(halves, name);
  EXPECT_EQ(find_in(halves).table.entries().size(), 3U);
}

TEST(FindWeights, IgnoresWhatIsNoTensorAndSaysSo) {
  PickleBytes pickle;
  pickle.raw("}").text("note").text("x").raw("s");
  const FoundWeights found = find_in(add_weight(pickle, "w"));
  EXPECT_THAT(found.notes, ElementsAre(testing::HasSubstr("are ignored: 'note'")));
}

TEST(FindWeights, NamesTheKeysWhenNothingIsFound) {
  PickleBytes pickle;
  pickle.raw("}").text("epoch").integer(3).raw("s").text("loss").real(0.5).raw("s");
  expect_error(ErrorCode::bad_model, "no weights were found under the keys 'epoch', 'loss'", [&] { find_in(pickle); });
  PickleBytes two;
  two.raw("}");
  add_dict(two, "first", {"w"});
  expect_error(ErrorCode::bad_model, "under the keys 'first', 'second'",
               [&] { find_in(add_dict(two, "second", {"w"})); });
  PickleBytes number;
  expect_error(ErrorCode::bad_model, "holds a value without named weights", [&] { find_in(number.integer(3)); });
}

}  // namespace
}  // namespace ptrun::archive
