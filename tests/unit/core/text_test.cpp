#include "core/text.h"

#include <gtest/gtest.h>

namespace ptrun {

TEST(TextTest, PrintableKeepsOrdinaryTextAndEscapesWhatATerminalObeys) {
  EXPECT_EQ(printable("Käse 猫.jpg"), "Käse 猫.jpg");
  EXPECT_EQ(printable("a\x1b[31m"), "a\\x1B[31m");
  EXPECT_EQ(printable("line\nbreak"), "line\\x0Abreak");
  EXPECT_EQ(printable("\u202Egnp.exe"), "\\u{202E}gnp.exe");
}

TEST(TextTest, PrintableShowsBytesThatAreNotUtf8) {
  EXPECT_EQ(printable("a\xFF"
                      "b"),
            "a\\xFFb");
  EXPECT_EQ(printable("cut \xE2\x82"), "cut \\xE2\\x82");
  EXPECT_EQ(printable("overlong \xC0\xAF"), "overlong \\xC0\\xAF");
}

TEST(TextTest, PrintableCutsLongText) { EXPECT_EQ(printable("abcdef", 3), "abc..."); }

TEST(TextTest, Utf8IsToldFromOtherBytes) {
  EXPECT_TRUE(is_utf8("Käse 猫"));
  EXPECT_FALSE(is_utf8("\xED\xA0\x80"));  // a surrogate
  EXPECT_FALSE(is_utf8("\xF4\x90\x80\x80"));
}

TEST(TextTest, NearestMatchFindsASlipAndRefusesNoise) {
  EXPECT_EQ(nearest_match("predcit", {"predict", "inspect"}), "predict");
  EXPECT_EQ(nearest_match("resnet5", {"resnet18", "resnet50"}), "resnet50");
  EXPECT_EQ(nearest_match("tabel", {"jsonl", "csv", "table"}), "table");
  EXPECT_EQ(nearest_match("banana", {"predict", "inspect"}), "");
}

TEST(TextTest, HumanBytes) {
  EXPECT_EQ(human_bytes(340), "340 bytes");
  EXPECT_EQ(human_bytes(1536), "1.5 KiB");
  EXPECT_EQ(human_bytes(14212972), "13.6 MiB");
}

TEST(TextTest, JoinSomeCountsTheRest) {
  EXPECT_EQ(join_some({"a", "b", "c"}, 2), "a, b and 1 more");
  EXPECT_EQ(join_some({"a"}, 2), "a");
}

}  // namespace ptrun
