#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "output/output.h"
#include "output/text_format.h"

namespace ptrun {
namespace {

Row classified(std::string path, std::vector<ClassScore> classes) {
  Row row;
  row.path = std::move(path);
  row.outcome.prediction.emplace().classes = std::move(classes);
  return row;
}

std::vector<std::string> table(const OutputContext& context, const std::vector<Row>& rows) {
  std::vector<std::string> lines;
  const auto writer = make_table_writer([&](std::string_view bytes) { lines.emplace_back(bytes); }, context);
  for (const Row& row : rows) writer->write(row);
  writer->finish();
  return lines;
}

TEST(TableTest, PathTopLabelScoreThenTheOthers) {
  OutputContext context;
  context.path_columns = 8;
  const auto lines = table(context, {classified("cat.jpg", {{281, "tabby", 0.5123F}, {285, "Egyptian cat", 0.2F}}),
                                     classified("long.jpg", {{4, "", 1.0F}})});
  ASSERT_EQ(lines.size(), 3U);
  EXPECT_EQ(lines[0], "image     label                        score  next\n");
  EXPECT_EQ(lines[1], "cat.jpg   tabby                       51.2 %  Egyptian cat 20.0 %\n");
  EXPECT_EQ(lines[2], "long.jpg  class 4                    100.0 %\n");
}

TEST(TableTest, ALineEndsWhereTheTerminalDoes) {
  OutputContext context;
  context.path_columns = 7;
  context.line_columns = 70;
  const ClassScore other{1, "another label", 0.1F};
  const auto lines = table(context, {classified("cat.jpg", {{281, "tabby", 0.5F}, other, other, other, other})});
  EXPECT_LE(display_width(lines[1]), 71U);
  EXPECT_THAT(lines[1], testing::HasSubstr("another label 10.0 %"));
}

TEST(TableTest, AnErrorNamesThePathOnce) {
  Row row;
  row.path = "bad.jpg";
  row.outcome.failure = {Stage::decode, "bad.jpg: JPEG data ends at row 3 of 9"};
  OutputContext context;
  context.path_columns = 7;
  EXPECT_EQ(table(context, {row})[1], "bad.jpg  ERROR decode: JPEG data ends at row 3 of 9\n");
}

TEST(TableTest, ForeignTextCannotSteerTheTerminal) {
  const auto lines = table({}, {classified("a\x1b[31m\n\u202Egpj.exe", {{1, "la\x1b]0;bel", 0.5F}})});
  EXPECT_EQ(lines[1].find('\x1b'), std::string::npos);
  EXPECT_EQ(lines[1].find("\u202E"), std::string::npos);
  EXPECT_EQ(lines[1].find('\n'), lines[1].size() - 1);
  EXPECT_THAT(lines[1], testing::HasSubstr("a\\x1B[31m\\x0A\\u{202E}gpj.exe"));
}

TEST(TableTest, WideNamesAlign) {
  OutputContext context;
  context.path_columns = 8;
  const auto lines =
      table(context, {classified("猫猫.jpg", {{1, "x", 0.5F}}), classified("cat2.jpg", {{1, "x", 0.5F}})});
  EXPECT_EQ(display_width(lines[1].substr(0, lines[1].find(" x "))),
            display_width(lines[2].substr(0, lines[2].find(" x "))));
}

TEST(DisplayWidthTest, Cases) {
  const std::pair<const char*, std::size_t> cases[] = {
      {"", 0},     {"abc", 3}, {"é", 1},  {"e\u0301", 1}, {"猫", 2},
      {"한글", 4}, {"ｱ", 1},   {"Ａ", 2}, {"😀", 2},       {"a\xff", 2},
  };
  for (const auto& [text, width] : cases) EXPECT_EQ(display_width(text), width) << text;
}

TEST(Base64Test, RfcVectors) {
  const std::pair<const char*, const char*> cases[] = {{"", ""},
                                                       {"f", "Zg=="},
                                                       {"fo", "Zm8="},
                                                       {"foo", "Zm9v"},
                                                       {"foob", "Zm9vYg=="},
                                                       {"fooba", "Zm9vYmE="},
                                                       {"foobar", "Zm9vYmFy"},
                                                       {"\xff\xfe\xfd", "//79"}};
  for (const auto& [bytes, text] : cases) EXPECT_EQ(base64(bytes), text);
}

}  // namespace
}  // namespace ptrun
