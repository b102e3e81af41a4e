#include "archive/pickle.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "support/expect_error.h"
#include "support/pt_bytes.h"

namespace ptrun::archive {
namespace {

using test::PickleBytes;
using Type = PickleNode::Type;

Pickle read(std::string bytes) { return read_pickle(std::move(bytes), "model.pt", "data.pkl"); }

std::string show(const Pickle& data, NodeId id) {
  const PickleNode& node = data[id];
  switch (node.type) {
    case Type::none: return "None";
    case Type::boolean: return node.integer != 0 ? "True" : "False";
    case Type::integer: return std::to_string(node.integer);
    case Type::big_integer: return "big" + std::to_string(data.text(id).size());
    case Type::real: return std::to_string(node.real);
    case Type::text: return "'" + std::string(data.text(id)) + "'";
    case Type::bytes: return "b'" + std::string(data.text(id)) + "'";
    case Type::global: return data.global_name(id);
    case Type::reduce: return data.callable_name(id) + show(data, data.arguments(id));
    case Type::object: return "new " + data.callable_name(id) + show(data, data.arguments(id));
    case Type::persistent_id: return "pid" + show(data, node.children[0]);
    default: break;
  }
  std::string text = node.type == Type::tuple ? "(" : node.type == Type::list ? "[" : "{";
  for (const NodeId child : node.children) text += show(data, child) + ",";
  return text;
}

std::string shown(const std::string& bytes) {
  const Pickle data = read(bytes);
  return show(data, data.root);
}

using namespace std::string_literals;

TEST(PickleValues, ScalarsOfEveryOpcode) {
  EXPECT_EQ(shown("\x80\x02N."s), "None");
  EXPECT_EQ(shown("\x80\x02\x88."s), "True");
  EXPECT_EQ(shown("\x80\x02\x89."s), "False");
  EXPECT_EQ(shown("\x80\x02J\xFE\xFF\xFF\xFF."s), "-2");
  EXPECT_EQ(shown("\x80\x02K\xFF."s), "255");
  EXPECT_EQ(shown("\x80\x02M\xFF\xFF."s), "65535");
  EXPECT_EQ(shown("\x80\x02\x8A\x00."s), "0");
  EXPECT_EQ(shown("\x80\x02\x8A\x01\xFF."s), "-1");
  EXPECT_EQ(shown("\x80\x02\x8A\x03\x00\x00\x80."s), "-8388608");
  EXPECT_EQ(shown("\x80\x02\x8A\x08\xFF\xFF\xFF\xFF\xFF\xFF\xFF\x7F."s), "9223372036854775807");
  EXPECT_EQ(shown("\x80\x02\x8A\x09\x00\x00\x00\x00\x00\x00\x00\x80\x00."s), "big9");
  EXPECT_EQ(shown("\x80\x02\x8B\x02\x00\x00\x00\x01\x01."s), "257");
  EXPECT_EQ(shown("\x80\x02G\x3F\xF8\x00\x00\x00\x00\x00\x00."s), "1.500000");
  EXPECT_EQ(shown("\x80\x02X\x02\x00\x00\x00hi."s), "'hi'");
  EXPECT_EQ(shown("\x80\x04\x8C\x02hi."s), "'hi'");
  EXPECT_EQ(shown("\x80\x04\x8D\x02\x00\x00\x00\x00\x00\x00\x00hi."s), "'hi'");
  EXPECT_EQ(shown("\x80\x02U\x02hi."s), "'hi'");
  EXPECT_EQ(shown("\x80\x02U\x01\xFF."s), "b'\xFF'");
  EXPECT_EQ(shown("\x80\x02T\x02\x00\x00\x00hi."s), "'hi'");
  EXPECT_EQ(shown("\x80\x03"s + "C\x01\xFF."s), "b'\xFF'");
  EXPECT_EQ(shown("\x80\x03"s + "B\x01\x00\x00\x00\xFF."s), "b'\xFF'");
  EXPECT_EQ(shown("\x80\x04\x8E\x01\x00\x00\x00\x00\x00\x00\x00\xFF."s), "b'\xFF'");
  EXPECT_EQ(shown("\x80\x05\x96\x01\x00\x00\x00\x00\x00\x00\x00\xFF."s), "b'\xFF'");
}

TEST(PickleValues, TextOpcodesOfProtocolZero) {
  EXPECT_EQ(shown("I-12\n."), "-12");
  EXPECT_EQ(shown("I01\n."), "True");
  EXPECT_EQ(shown("L12L\n."), "12");
  EXPECT_EQ(shown("F1.5\n."), "1.500000");
  EXPECT_EQ(shown("S'a\\n\\x41\\''\n."), "'a\nA''");
  EXPECT_EQ(shown("V\\u00df\xE9\\U0001F600\n."), "'\xC3\x9F\xC3\xA9\xF0\x9F\x98\x80'");
  EXPECT_EQ(shown("(lp0\nI1\nag0\na0(dp1\nI1\nI2\ns."), "{1,2,");
  EXPECT_EQ(shown("P123\n."), "pid'123'");
  EXPECT_EQ(shown("(I1\nitorch\nSize\n."), "new torch.Size(1,");
}

TEST(PickleValues, Containers) {
  EXPECT_EQ(shown("\x80\x02)."s), "(");
  EXPECT_EQ(shown("\x80\x02K\x01\x85."s), "(1,");
  EXPECT_EQ(shown("\x80\x02K\x01K\x02\x86."s), "(1,2,");
  EXPECT_EQ(shown("\x80\x02K\x01K\x02K\x03\x87."s), "(1,2,3,");
  EXPECT_EQ(shown("\x80\x02(K\x01K\x02t."s), "(1,2,");
  EXPECT_EQ(shown("\x80\x02](K\x01K\x02"s + "eK\x03" + "a."s), "[1,2,3,");
  EXPECT_EQ(shown("\x80\x02}(K\x01K\x02uK\x03K\x04s."s), "{1,2,3,4,");
  EXPECT_EQ(shown("\x80\x04\x8F(K\x01\x90."s), "{1,");
  EXPECT_EQ(shown("\x80\x04(K\x01\x91."s), "{1,");
  EXPECT_EQ(shown("\x80\x02K\x01K\x02"s + "0."s), "1");
  EXPECT_EQ(shown("\x80\x02K\x01(K\x02K\x03"s + "1."s), "1");
  EXPECT_EQ(shown("\x80\x02K\x01"s + "2\x86."s), "(1,1,");
}

TEST(PickleValues, MemoOpcodes) {
  EXPECT_EQ(shown("\x80\x02K\x07q\x05h\x05\x86."s), "(7,7,");
  EXPECT_EQ(shown("\x80\x02K\x07r\x05\x00\x00\x00j\x05\x00\x00\x00\x86."s), "(7,7,");
  EXPECT_EQ(shown("\x80\x04K\x07\x94K\x08\x94h\x01h\x00\x86\x87."s), "(7,8,(8,7,,");
}

TEST(PickleValues, GlobalsCallsAndObjectsStayData) {
  EXPECT_EQ(shown("\x80\x02"s + "cos\nsystem\nX\x02\x00\x00\x00ls\x85R."s), "os.system('ls',");
  EXPECT_EQ(shown("\x80\x04\x8C\x02os\x8C\x06system\x93)\x81."s), "new os.system(");
  EXPECT_EQ(shown("\x80\x04\x8C\x01"s + "a\x8C\x01"s + "b\x93)}\x92."s), "new a.b(");
  EXPECT_EQ(shown("\x80\x02(ca\nb\nK\x01o."s), "new a.b(1,");
  EXPECT_EQ(shown("\x80\x02K\x01\x85Q."s), "pid(1,");
}

TEST(PickleValues, FramesAreHints) { EXPECT_EQ(shown("\x80\x04\x95\x03\x00\x00\x00\x00\x00\x00\x00K\x01."s), "1"); }

TEST(PickleValues, PythonTwoModuleNamesAreModern) {
  const Pickle data = read("\x80\x02"s + "c__builtin__\nset\n](K\x01K\x02"s + "e\x85R."s);
  EXPECT_EQ(data.callable_name(data.root), "builtins.set");
  EXPECT_EQ(data.sequence(data.root).size(), 2U);
}

TEST(PickleMapping, DictOrderedDictAndPythonTwoPairs) {
  const std::string key = PickleBytes().raw("").text("k").bytes().substr(2);
  for (const std::string& bytes : {
           "\x80\x02}"s + key + "K\x07s.",
           "\x80\x02"s + "ccollections\nOrderedDict\n)R"s + key + "K\x07s.",
           "\x80\x02"s + "ccollections\nOrderedDict\n](]("s + key + "K\x07" + "ee\x85R.",
           "\x80\x02"s + "ccollections\nCounter\n}"s + key + "K\x07s\x85R.",
           "\x80\x02"s + "ccollections\ndefaultdict\nc__builtin__\nint\n\x85R"s + key + "K\x07s.",
           "\x80\x02"s + "cmmcv\nConfigDict\n)\x81"s + key + "K\x07s.",
       }) {
    const Pickle data = read(bytes);
    EXPECT_TRUE(data.is_mapping(data.root));
    ASSERT_EQ(data.mapping(data.root).size(), 1U);
    const NodeId value = data.lookup(data.root, "k");
    ASSERT_TRUE(data.is(value, Type::integer));
    EXPECT_EQ(data[value].integer, 7);
    EXPECT_EQ(data.lookup(data.root, "other"), kNoNode);
  }
}

TEST(PickleMapping, TheLastOfEqualKeysWins) {
  const std::string key = PickleBytes().text("k").bytes().substr(2);
  const Pickle data = read("\x80\x02}"s + key + "K\x01s" + key + "K\x02s.");
  EXPECT_EQ(data[data.lookup(data.root, "k")].integer, 2);
}

TEST(PickleState, BuildSetsTheStateOfAnObject) {
  const Pickle data = read("\x80\x02"s + "ca\nb\n)\x81}X\x01\x00\x00\x00kK\x05sb."s);
  EXPECT_EQ(data[data.lookup(data.state(data.root), "k")].integer, 5);
}

// A list that contains itself is legal pickle.
TEST(PickleCycles, AreLegal) {
  const Pickle data = read("\x80\x02]q\x00h\x00"s + "a."s);
  ASSERT_EQ(data[data.root].children.size(), 1U);
  EXPECT_EQ(data[data.root].children[0], data.root);
}

TEST(PickleSource, ReadsNoFurtherThanItsStop) {
  const auto source = from_memory("model.pt", "xx\x80\x02K\x01.\x80\x02K\x02."s);
  std::uint64_t offset = 2;
  const Pickle first = read_pickle(*source, offset, source->size(), "first");
  EXPECT_EQ(first[first.root].integer, 1);
  EXPECT_EQ(offset, 7U);
  const Pickle second = read_pickle(*source, offset, source->size(), "second");
  EXPECT_EQ(second[second.root].integer, 2);
  EXPECT_EQ(offset, source->size());
}

TEST(PickleSource, ReadsStringsLongerThanItsReadAhead) {
  const std::string text(300'000, 'y');
  const auto source = from_memory("model.pt", PickleBytes().text(text).stop() + std::string(100, 'z'));
  std::uint64_t offset = 0;
  const Pickle data = read_pickle(*source, offset, source->size(), "part");
  EXPECT_EQ(data.text(data.root), text);
  EXPECT_EQ(offset, source->size() - 100);
}

}  // namespace
}  // namespace ptrun::archive
