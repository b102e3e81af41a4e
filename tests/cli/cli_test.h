// What all tests of the tool share: a folder of their own, the program, the published weights, photographs.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string>
#include <vector>

#include "cli/process.h"
#include "support/scratch.h"

namespace ptrun::test {

namespace fs = std::filesystem;

inline const std::string kPhotos = PTRUN_TEST_DATA "/photos";
inline const std::string kDerived = PTRUN_TEST_DATA "/derived";
inline const std::string kWeights = PTRUN_TEST_WEIGHTS;

class CliTest : public testing::Test {
 protected:
  void SetUp() override {
    ASSERT_TRUE(fs::exists(kWeights)) << kWeights
                                      << " is missing: scripts/test.sh brings it, or set PTRUN_TEST_WEIGHTS";
    root_ = scratch_path("cli");
    fs::create_directories(root_);
  }
  void TearDown() override { fs::remove_all(root_); }

  std::string path(const std::string& name) const { return (root_ / name).string(); }

  static Finished run(std::vector<std::string> words, const ProcessOptions& options = {}) {
    words.insert(words.begin(), PTRUN_TOOL);
    return run_process(words, options);
  }
  // ptrun predict WEIGHTS words...
  static Finished predict(std::vector<std::string> words, const ProcessOptions& options = {}) {
    words.insert(words.begin(), {"predict", kWeights});
    return run(std::move(words), options);
  }
  // In the test's own folder.
  Finished predict_here(std::vector<std::string> words, ProcessOptions options = {}) const {
    options.folder = root_.string();
    return predict(std::move(words), options);
  }

  void copy_photo(const std::string& photo, const std::string& name) const {
    fs::create_directories(fs::path(path(name)).parent_path());
    fs::copy_file(kPhotos + "/" + photo, path(name));
  }
  void write(const std::string& name, const std::string& bytes) const {
    std::ofstream(path(name), std::ios::binary) << bytes;
  }
  static std::string text_of(const std::string& file) {
    std::ifstream stream(file, std::ios::binary);
    std::ostringstream text;
    text << stream.rdbuf();
    return text.str();
  }
  // Each line as JSON; a line that is none fails the test.
  static std::vector<nlohmann::json> rows(const std::string& text) {
    std::vector<nlohmann::json> found;
    std::istringstream lines(text);
    for (std::string line; std::getline(lines, line);) {
      found.push_back(nlohmann::json::parse(line, nullptr, false));
      EXPECT_FALSE(found.back().is_discarded()) << line;
    }
    return found;
  }
  static std::vector<std::string> paths(const std::string& text) {
    std::vector<std::string> found;
    for (const nlohmann::json& row : rows(text)) found.push_back(row.at("path"));
    return found;
  }
  // Ended with `code`, said `words` on standard error and nothing on standard output.
  static void expect_refused(const Finished& finished, int code, const std::string& words) {
    EXPECT_EQ(finished.code, code) << finished.err;
    EXPECT_THAT(finished.err, testing::HasSubstr(words));
    EXPECT_EQ(finished.out, "");
  }

  fs::path root_;
};

}  // namespace ptrun::test
