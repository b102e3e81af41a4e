// The public inspect on real files: kinds, sources, export lines, and a stable JSON.
#include "ptrun/inspect.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "ptrun/models.h"
#include "support/expect_error.h"
#include "support/pt_bytes.h"
#include "support/scratch.h"

namespace ptrun {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

std::string archive(const std::string& name) { return std::string(PTRUN_TEST_DATA) + "/archives/" + name; }

class InspectTest : public testing::Test {
 protected:
  void TearDown() override {
    if (!path_.empty()) std::filesystem::remove(path_);
  }
  // The file is kept until the end of the test.
  std::string write(const std::string& name, const std::string& bytes) {
    path_ = test::scratch_path(name);
    std::ofstream(path_, std::ios::binary) << bytes;
    return path_.string();
  }
  std::filesystem::path path_;
};

TEST_F(InspectTest, TellsHowToExportAnUnknownPickledModule) {
  const Inspection found = inspect(archive("2.15.0/module.pt"));
  EXPECT_EQ(found.kind, "pickled_module");
  EXPECT_FALSE(found.runnable);
  EXPECT_EQ(found.classes.front(), "archive_net.Net");
  EXPECT_THAT(found.explanation, HasSubstr("forward function is Python code outside the file"));
  EXPECT_THAT(found.explanation, HasSubstr("\nimport archive_net\n"));
  EXPECT_THAT(found.explanation, HasSubstr("weights_only=False).float().eval()\n"));
  EXPECT_THAT(found.explanation, HasSubstr("torch.jit.trace(model, torch.rand(1, 3, 224, 224)).save('exported.pt')"));
  EXPECT_THAT(found.explanation, HasSubstr("torch.export.save(torch.export.export(model"));
  EXPECT_THAT(found.explanation, HasSubstr("torch.save(model.state_dict(), 'weights.pt')"));
}

TEST_F(InspectTest, SubscriptsAModuleInsideACheckpoint) {
  EXPECT_THAT(inspect(archive("2.15.0/data_parallel_module.pt")).explanation,
              HasSubstr("weights_only=False)['model'].float().eval()"));
  EXPECT_THAT(inspect(archive("2.15.0/checkpoint.pt")).explanation, HasSubstr("map_location='cpu')['state_dict'])"));
}

TEST_F(InspectTest, SaysWhatACleanTextCannotRun) {
  const Inspection pointer =
      inspect(write("pointer.pt", "version https://git-lfs.github.com/spec/v1\noid sha256:ab\nsize 12\n"));
  EXPECT_EQ(pointer.kind, "lfs_pointer");
  EXPECT_FALSE(pointer.runnable);
  EXPECT_THAT(pointer.explanation, HasSubstr("git lfs pull"));
  EXPECT_THAT(pointer.description, HasSubstr("sha256:ab, 12 bytes"));
  const Inspection exported = inspect(archive("2.15.0/export.pt2"));
  EXPECT_EQ(exported.kind, "exported_program");
  EXPECT_EQ(exported.explanation, "");
  EXPECT_THAT(inspect(archive("2.15.0/tensor.pt")).explanation, HasSubstr("holds one tensor [3, 4]"));
}

TEST_F(InspectTest, ListsTheOperatorsOfAScript) {
  const Inspection found = inspect(archive("2.15.0/script.pt"));
  EXPECT_TRUE(found.runnable) << found.explanation;
  EXPECT_THAT(found.operators, testing::Contains("aten::conv2d"));
  EXPECT_THAT(found.missing_operators, testing::IsEmpty());
}

TEST_F(InspectTest, ThrowsForDamageOnly) {
  test::expect_error(ErrorCode::not_found, "does not exist", [] { inspect("/nowhere/model.pt"); });
  const std::string zip = test::good_zip();
  test::expect_error(ErrorCode::bad_model, "is truncated",
                     [&] { inspect(write("cut.pt", zip.substr(0, zip.size() / 2))); });
}

TEST_F(InspectTest, QuotesAForeignPath) {
  const Inspection found = inspect(write("it's a \"model\".pt", test::good_zip()));
  EXPECT_THAT(found.explanation, HasSubstr("it\\'s a \"model\".pt'"));
}

TEST_F(InspectTest, WritesJsonWithAStableOrderOfKeys) {
  const std::string text = to_json(inspect(archive("2.15.0/ordered.pt")));
  const auto json = nlohmann::ordered_json::parse(text);
  std::vector<std::string> keys;
  for (const auto& [key, value] : json.items()) keys.push_back(key);
  EXPECT_THAT(keys, ElementsAre("v", "path", "kind", "description", "runnable", "explanation", "file_size",
                                "parameters", "findings", "tensors", "classes", "operators", "missing_operators"));
  EXPECT_EQ(json["v"], 1);
  std::ifstream page(PTRUN_TEST_DATA "/../../docs/inspect.md");
  const std::string documented{std::istreambuf_iterator<char>(page), {}};
  for (const std::string& key : keys) EXPECT_THAT(documented, HasSubstr("| `" + key + "` |"));
  EXPECT_EQ(json["tensors"][0].dump(), R"({"name":"conv.weight","dtype":"float32","shape":[4,3,3,3]})");
  EXPECT_EQ(json["parameters"], 137);
  for (const auto& row : json["findings"]) {
    EXPECT_FALSE(row["value"].get<std::string>().empty());
    EXPECT_FALSE(row["source"].get<std::string>().empty());
  }
  Inspection foreign;
  foreign.path = "\xFF.pt";
  EXPECT_THAT(to_json(foreign), HasSubstr("\xEF\xBF\xBD.pt"));
}

}  // namespace
}  // namespace ptrun
