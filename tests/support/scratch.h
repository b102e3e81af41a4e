// Names of temporary files and folders that no other test, and no other run of the same test, uses at the same time.
#pragma once

#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
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

}  // namespace ptrun::test
