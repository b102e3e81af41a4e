// Names of temporary files and folders that no other test, and no other run of the same test, uses at the same time.
#pragma once

#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <string>

namespace ptrun::test {

// "name" of the running test and process in the temporary folder; nothing is made there.
inline std::filesystem::path scratch_path(const std::string& name) {
  std::string unique = "ptrun_" + std::to_string(::getpid()) + "_";
  if (const ::testing::TestInfo* test = ::testing::UnitTest::GetInstance()->current_test_info()) {
    unique += std::string(test->test_suite_name()) + "_" + test->name() + "_";
  }
  unique += name;
  // Names of parameterised tests have a slash in them.
  std::replace(unique.begin(), unique.end(), '/', '_');
  return std::filesystem::path(::testing::TempDir()) / unique;
}

// A folder of the running test, which goes away with this object. Paths that are handed out are full ones.
class ScratchFolder {
 public:
  ScratchFolder() : path_(scratch_path("folder")) { std::filesystem::create_directories(path_); }
  ~ScratchFolder() { std::filesystem::remove_all(path_); }
  ScratchFolder(const ScratchFolder&) = delete;
  ScratchFolder& operator=(const ScratchFolder&) = delete;

  const std::filesystem::path& path() const { return path_; }
  std::string at(const std::string& name) const { return (path_ / name).string(); }
  std::string write(const std::string& name, const std::string& bytes) const {
    std::ofstream(path_ / name, std::ios::binary) << bytes;
    return at(name);
  }
  std::string copy(const std::string& from, const std::string& name) const {
    std::filesystem::copy_file(from, path_ / name, std::filesystem::copy_options::overwrite_existing);
    return at(name);
  }

 private:
  std::filesystem::path path_;
};

}  // namespace ptrun::test
