// Weights in several files behind an index.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "archive/dense_tensors.h"
#include "archive/weight_table.h"
#include "support/expect_error.h"
#include "support/pt_bytes.h"
#include "support/scratch.h"

namespace ptrun::archive {
namespace {

using test::expect_error;

class Sharded : public testing::Test {
 protected:
  void SetUp() override {
    folder_ = test::scratch_path("shards");
    std::filesystem::create_directories(folder_ / "below");
    write("a.safetensors", test::good_safetensors());
    const std::string second = test::torch_zip(
        test::PickleBytes().raw("}").text("w").tensor("FloatStorage", "0", 6, 0, {6}, {1}).raw("s").stop(),
        {{"0", std::string(24, '\x3F')}});
    write("below/b.bin", second);
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  void write(const std::string& name, const std::string& bytes) const {
    std::ofstream(folder_ / name, std::ios::binary) << bytes;
  }
  std::shared_ptr<const TensorFile> open(const std::string& map) const {
    write("model.safetensors.index.json", R"({"metadata":{"total_size":48},"weight_map":)" + map + "}");
    const auto source = open_file((folder_ / "model.safetensors.index.json").string());
    EXPECT_EQ(detect(*source), Kind::shard_index);
    return TensorFile::open(source, Kind::shard_index);
  }
  void refuse(const std::string& map, const std::string& words) const {
    expect_error(ErrorCode::bad_model, words, [&] { open(map); });
  }

  std::filesystem::path folder_;
};

TEST_F(Sharded, AreOneFileOfWeights) {
  const auto file = open(R"({"weight":"a.safetensors","w":"below/b.bin"})");
  const FoundWeights found = find_weights(*file);
  ASSERT_EQ(found.table.entries().size(), 2U);
  DenseTensors tensors(*file);
  EXPECT_EQ(tensors.read(found.table.find("w")->tensor, "w"), std::string(24, '\x3F'));
  EXPECT_EQ(tensors.read(found.table.find("weight")->tensor, "weight").size(), 24U);
  EXPECT_EQ(file->storage_offset(0), std::nullopt);
}

TEST_F(Sharded, NameWhatIsMissingOrOutside) {
  refuse(R"({"weight":"a.safetensors","w":"c.safetensors"})", "its shard 'c.safetensors' does not exist");
  refuse(R"({"nothing":"a.safetensors"})", "has no tensor 'nothing', which the index places there");
  refuse(R"({"weight":"../a.safetensors"})", "names the file '../a.safetensors', expected one in its own folder");
  refuse(R"({"weight":"/etc/passwd"})", "expected one in its own folder");
  refuse(R"({"weight":"below/../../x"})", "expected one in its own folder");
  refuse(R"({"weight":3})", "not a text");
  refuse(R"({"weight":["a.safetensors"]})", "not a text");
  refuse(R"({"weight":"a.safetensors","weight":"below/b.bin"})", "names tensor 'weight' twice");
  refuse("{}", "has no \"weight_map\" with tensors");
  refuse(R"({"weight":"model.safetensors.index.json"})",
         "is an index of weights in several files, expected safetensors");
}

}  // namespace
}  // namespace ptrun::archive
