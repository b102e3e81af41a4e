// Files made to do harm (make_evil_torchscript.py): each is refused before it is loaded or run, with its cause named,
// in less than a second and 64 MiB, and leaves nothing behind.
#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "executor/executor.h"
#include "loader/model_impl.h"
#include "ptrun/error.h"
#include "ptrun/model.h"
#include "support/resource_guard.h"
#include "support/scratch.h"

namespace ptrun {
namespace {

namespace fs = std::filesystem;

const std::string kFolder = PTRUN_TEST_DATA "/torchscript_evil";

nlohmann::json read_description() {
  std::ifstream file(kFolder + "/evil.json");
  return nlohmann::json::parse(file);
}

struct Case {
  std::string file;
  std::string code;
  std::string cause;
};

void PrintTo(const Case& value, std::ostream* out) { *out << value.file; }

std::vector<Case> all_cases() {
  std::vector<Case> cases;
  const nlohmann::json description = read_description();
  for (const auto& one : description.at("cases")) cases.push_back({one.at("file"), one.at("code"), one.at("cause")});
  return cases;
}

// An empty folder to run in, so that any file that appears is seen.
class EvilTorchScript : public testing::TestWithParam<Case> {
 protected:
  void SetUp() override {
    folder_ = test::scratch_path("evil");
    fs::create_directories(folder_);
    before_ = fs::current_path();
    fs::current_path(folder_);
  }
  void TearDown() override {
    fs::current_path(before_);
    fs::remove_all(folder_);
  }
  std::size_t files() const {
    std::size_t count = 0;
    for (const auto& entry : fs::directory_iterator(folder_)) count += entry.exists() ? 1U : 0U;
    return count;
  }

 private:
  fs::path folder_;
  fs::path before_;
};

TEST_P(EvilTorchScript, IsRefused) {
  const Case& expected = GetParam();
  // What LibTorch needs once in a process is not this file's time.
  load_model(kFolder + "/benign.pt");
  const test::Cost cost = test::measure([&] {
    try {
      load_model(kFolder + "/" + expected.file);
      ADD_FAILURE() << "was loaded";
    } catch (const Error& error) {
      const std::string message = error.what();
      EXPECT_EQ(to_string(error.code()), expected.code) << message;
      EXPECT_NE(message.find(expected.cause), std::string::npos) << message;
      EXPECT_EQ(error.subject(), kFolder + "/" + expected.file);
      EXPECT_LT(message.size(), 1000U);
    }
  });
  EXPECT_LT(cost.seconds, 1.0);
  EXPECT_LT(cost.heap_bytes, 64U << 20U);
  EXPECT_LT(cost.resident_bytes, 64U << 20U);
  RecordProperty("milliseconds", static_cast<int>(cost.seconds * 1000));
  RecordProperty("kilobytes", static_cast<int>(std::max(cost.heap_bytes, cost.resident_bytes) >> 10U));
  EXPECT_EQ(files(), 0U);
}

INSTANTIATE_TEST_SUITE_P(Files, EvilTorchScript, testing::ValuesIn(all_cases()),
                         [](const auto& one) { return one.param.file.substr(0, one.param.file.find('.')); });

class TrustedTorchScript : public EvilTorchScript {};

// The proof that these files would do it: with trust, the writer is loaded, and running it makes its file.
TEST_F(TrustedTorchScript, WriterWritesWhenItIsTrusted) {
  LoadOptions options;
  options.trust = true;
  const Model model = load_model(kFolder + "/file_writer.pt", options);
  Executor(model, {}).run(at::zeros({1, 3, 8, 8}));
  EXPECT_TRUE(fs::exists(read_description().at("evil_file").get<std::string>()));
}

// Trust is for programs, not for damaged or exhausting files.
TEST_F(TrustedTorchScript, TrustLiftsTheAllowListAlone) {
  LoadOptions options;
  options.trust = true;
  for (const char* file : {"short_record.pt", "bit_flip.pt", "setstate_endless.pt", "call_bomb.pt", "text_bomb.pt",
                           "deep_brackets.pt", "version_99.pt", "command.pt", "huge_allocation.pt"}) {
    EXPECT_THROW(load_model(kFolder + "/" + file, options), Error) << file;
  }
  EXPECT_NO_THROW(load_model(kFolder + "/manual_seed.pt", options));
}

}  // namespace
}  // namespace ptrun
