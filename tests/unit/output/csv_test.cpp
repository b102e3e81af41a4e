#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "output/output.h"

namespace ptrun {
namespace {

std::string csv(const OutputContext& context, const std::vector<Row>& rows) {
  std::string text;
  const auto writer = make_csv_writer([&](std::string_view bytes) { text += bytes; }, context);
  for (const Row& row : rows) writer->write(row);
  writer->finish();
  return text;
}

Row classified(std::string path, std::vector<ClassScore> classes) {
  Row row;
  row.path = std::move(path);
  Prediction& prediction = row.outcome.prediction.emplace();
  prediction.geometry.original_width = 4;
  prediction.geometry.original_height = 3;
  prediction.classes = std::move(classes);
  return row;
}

Row failed(std::string path, std::string message) {
  Row row;
  row.path = std::move(path);
  row.outcome.failure = {Stage::decode, std::move(message)};
  return row;
}

OutputContext context(Task task, int topk = 2) {
  OutputContext result;
  result.task = task;
  result.topk = topk;
  return result;
}

TEST(CsvTest, OneRowAnImageWithItsTopK) {
  EXPECT_EQ(csv(context(Task::classify), {classified("a.jpg", {{1, "cat", 0.5F}, {2, "dog", 0.25F}}),
                                          failed("b.jpg", "b.jpg: broken, cut"), classified("c.jpg", {{7, "", 1.0F}})}),
            "path,status,width,height,index_1,label_1,score_1,index_2,label_2,score_2,stage,error,path_b64\n"
            "a.jpg,ok,4,3,1,cat,0.5,2,dog,0.25,,,\n"
            "b.jpg,error,,,,,,,,,decode,\"b.jpg: broken, cut\",\n"
            "c.jpg,ok,4,3,7,,1,,,,,,\n");
}

TEST(CsvTest, EveryLineHasTheHeadersCells) {
  for (const Task task : {Task::classify, Task::detect, Task::segment, Task::keypoints}) {
    Row found = classified("a.jpg", {});
    found.outcome.prediction->task = task;
    Row nothing = found;
    Detection item;
    item.score = 0.5F;
    found.outcome.prediction->detections = {item, item};
    if (task == Task::segment) found.outcome.prediction->segments = {{1, "x", 5}};
    const std::string text = csv(context(task), {found, nothing, failed("b.jpg", "gone")});
    const auto commas = [](const std::string& line) { return std::count(line.begin(), line.end(), ','); };
    std::size_t at = 0;
    const std::string header = text.substr(0, text.find('\n'));
    while (at < text.size()) {
      const std::size_t end = text.find('\n', at);
      EXPECT_EQ(commas(text.substr(at, end - at)), commas(header)) << text.substr(at, end - at);
      at = end + 1;
    }
  }
}

TEST(CsvTest, OneRowADetection) {
  Row row = classified("a.jpg", {});
  row.outcome.prediction->task = Task::detect;
  Detection item;
  item.index = 3;
  item.label = "car";
  item.score = 0.75F;
  item.x2 = 10.5F;
  item.y2 = 20;
  Detection rotated = item;
  rotated.corners = {{-1.5F, 2}, {3, 4}, {5, 6}, {7, 8.25F}};
  row.outcome.prediction->detections = {item, rotated};
  EXPECT_EQ(csv(context(Task::detect), {row}),
            "path,status,width,height,index,label,score,x1,y1,x2,y2,corners,stage,error,path_b64\n"
            "a.jpg,ok,4,3,3,car,0.75,0,0,10.5,20,,,,\n"
            "a.jpg,ok,4,3,3,car,0.75,0,0,10.5,20,-1.5 2 3 4 5 6 7 8.25,,,\n");

  item.keypoints = {{1, 2, 0.5F}, {-3, 4.5F, 0.25F}};
  row.outcome.prediction->detections = {item};
  EXPECT_EQ(csv(context(Task::keypoints), {row}),
            "path,status,width,height,index,label,score,x1,y1,x2,y2,keypoints,stage,error,path_b64\n"
            "a.jpg,ok,4,3,3,car,0.75,0,0,10.5,20,1 2 0.5 -3 4.5 0.25,,,\n");

  // A mask may begin as a formula does; its own characters are 0 to o.
  item.mask = Mask{4, 3, "=0\\o"};
  row.outcome.prediction->detections = {item};
  EXPECT_EQ(csv(context(Task::segment), {row}),
            "path,status,width,height,index,label,score,x1,y1,x2,y2,area,mask,stage,error,path_b64\n"
            "a.jpg,ok,4,3,3,car,0.75,0,0,10.5,20,,'=0\\o,,,\n");
}

TEST(CsvTest, QuotingAndFormulas) {
  struct Case {
    const char* path;
    const char* cell;
    const char* base64;
  };
  const Case cases[] = {
      {"plain.jpg", "plain.jpg", ""},
      {"with,comma.jpg", "\"with,comma.jpg\"", ""},
      {"with\"quote.jpg", "\"with\"\"quote.jpg\"", ""},
      {"two\nlines.jpg", "two\\x0Alines.jpg", "dHdvCmxpbmVzLmpwZw=="},
      {"=cmd|' /C calc'!A0", "'=cmd|' /C calc'!A0", ""},
      {"+1.jpg", "'+1.jpg", ""},
      {"-1.jpg", "'-1.jpg", ""},
      {"@SUM(A1)", "'@SUM(A1)", ""},
      {"\tx", "\\x09x", "CXg="},
      {"\x1B[31m", "\\x1B[31m", "G1szMW0="},
      {"=\"a\",b", "\"'=\"\"a\"\",b\"", ""},
      {"caf\xE9.jpg", "caf\\xE9.jpg", "Y2Fm6S5qcGc="},
  };
  for (const auto& [path, cell, base64] : cases) {
    const std::string text = csv(context(Task::classify, 1), {classified(path, {{1, path, 0.5F}})});
    const std::string name(cell);
    EXPECT_THAT(text, testing::EndsWith("\n" + name + ",ok,4,3,1," + name + ",0.5,,," + base64 + "\n")) << path;
  }
}

TEST(CsvTest, ANegativeLogitStaysANumber) {
  OutputContext logits = context(Task::classify, 1);
  logits.logits = true;
  EXPECT_EQ(csv(logits, {classified("a.jpg", {{1, "cat", -2.5F}})}),
            "path,status,width,height,index_1,label_1,logit_1,stage,error,path_b64\na.jpg,ok,4,3,1,cat,-2.5,,,\n");
}

TEST(CsvTest, NoRowsStillHaveAHeader) {
  EXPECT_EQ(csv(context(Task::classify, 1), {}),
            "path,status,width,height,index_1,label_1,score_1,stage,error,path_b64\n");
}

}  // namespace
}  // namespace ptrun
