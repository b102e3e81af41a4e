#include "archive/kind.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "support/pt_bytes.h"

namespace ptrun::archive {
namespace {

TEST(KindTable, HasOneDistinctRowForEveryKind) {
  std::set<std::string_view> words;
  std::set<std::string_view> titles;
  std::set<std::string_view> remedies;
  for (int value = 0; value <= static_cast<int>(Kind::unknown); ++value) {
    const auto kind = static_cast<Kind>(value);
    const KindInfo& row = info(kind);
    EXPECT_EQ(row.kind, kind) << value;
    EXPECT_TRUE(words.insert(row.word).second) << row.word;
    EXPECT_TRUE(titles.insert(row.title).second) << row.title;
    EXPECT_FALSE(row.title.empty());
    if (row.remedy.empty()) continue;
    EXPECT_TRUE(remedies.insert(row.remedy).second) << row.remedy;
  }
  EXPECT_EQ(words.size(), all_kinds().size());
}

TEST(KindDetection, SeesTheGoodContainers) {
  EXPECT_EQ(detect(*from_memory("a", test::good_zip())), Kind::torch_save_zip);
  EXPECT_EQ(detect(*from_memory("a", test::good_legacy())), Kind::torch_save_legacy);
  EXPECT_EQ(detect(*from_memory("a", test::good_safetensors())), Kind::safetensors);
}

TEST(KindDetection, GivesReadableKindsNoRemedy) {
  const auto source = from_memory("a", test::good_zip());
  EXPECT_NO_THROW(require_readable(*source, Kind::torch_save_zip));
  EXPECT_NO_THROW(require_readable(*source, Kind::torchscript));
}

}  // namespace
}  // namespace ptrun::archive
