// Extra files inside a model archive: a TorchScript file and a .pt2 are read alike, and inspect says what predict does.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "archive/zip.h"
#include "ptrun/inspect.h"
#include "ptrun/model.h"
#include "support/pt_bytes.h"
#include "support/scratch.h"

namespace ptrun {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

struct Base {
  const char* file;
  const char* folder;  // of the extra files
};

class ExtraFiles : public testing::TestWithParam<Base> {
 protected:
  void TearDown() override { std::filesystem::remove(path_); }

  // The model file with one more record.
  void add(const std::string& name, const std::string& text) const {
    const auto zip = archive::ZipArchive::open(archive::open_file(std::string(PTRUN_TEST_DATA "/") + GetParam().file));
    std::vector<test::ZipRecord> records;
    for (const archive::ZipEntry& entry : zip->entries()) {
      test::ZipRecord& record = records.emplace_back();
      record.name = entry.name;
      record.data = zip->read(entry, 1U << 24U);
    }
    test::ZipRecord& record = records.emplace_back();
    record.name = records[0].name.substr(0, records[0].name.find('/')) + "/" + GetParam().folder + "/" + name;
    if (records[0].name.find('/') == std::string::npos) record.name = GetParam().folder + ("/" + name);
    record.data = text;
    std::ofstream(path_, std::ios::binary) << test::zip_bytes(records);
  }

  // Of one name, in order.
  std::vector<std::string> found(const std::string& name) const {
    const Inspection inspection = inspect(path_);
    EXPECT_TRUE(inspection.runnable) << inspection.explanation;
    std::vector<std::string> values;
    for (const Finding& finding : inspection.findings) {
      if (finding.name == name) values.push_back(finding.value);
    }
    return values;
  }

  const std::string path_ = test::scratch_path("extra.pt");
};

TEST_P(ExtraFiles, LabelsAreTaken) {
  add("labels.txt", "ant\nbee\ncat\ndog\nelk\n");
  EXPECT_THAT(load_model(path_).labels().names, ElementsAre("ant", "bee", "cat", "dog", "elk"));
  EXPECT_THAT(found("labels"), ElementsAre("5: ant, bee, cat, dog, elk"));
}

TEST_P(ExtraFiles, TaskLabelsAndPresetAreTaken) {
  add("ptrun.json", R"({"task": "classify", "labels": ["a", "b", "c", "d", "e"], "preset": {"crop_pct": 0.5}})");
  const Model model = load_model(path_);
  EXPECT_EQ(model.task(), Task::classify);
  EXPECT_EQ(model.labels().names.size(), 5U);
  EXPECT_EQ(model.preset().values.crop_pct, 0.5);
  EXPECT_THAT(found("task"), ElementsAre("classify"));
  EXPECT_THAT(found("crop_pct"), ElementsAre("0.5"));
}

TEST_P(ExtraFiles, WhatIsNotUnderstoodIsNoted) {
  const auto expect_ignored = [&](const char* words) {
    EXPECT_THAT(load_model(path_).notes(), Contains(HasSubstr(words)));
    EXPECT_THAT(found("note"), Contains(HasSubstr(words)));
  };
  add("ptrun.json", "{");
  expect_ignored("ignored: extra file ptrun.json in the model file");
  add("ptrun.json", R"({"task": "juggle"})");
  expect_ignored("task juggle is not known");
  add("labels.txt", std::string(17U << 20U, 'a'));
  expect_ignored("labels.txt' has 17825792 bytes, the limit");
}

INSTANTIATE_TEST_SUITE_P(Archives, ExtraFiles,
                         testing::Values(Base{"exported/classifier.pt2", "extra"},
                                         Base{"torchscript/scripted.pt", "extra"},
                                         Base{"archives/2.6.0/export.pt2", "extra_files"}));

}  // namespace
}  // namespace ptrun
