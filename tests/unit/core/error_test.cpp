#include "ptrun/error.h"

#include <gtest/gtest.h>

namespace ptrun {

TEST(ErrorTest, TheMessageIsSubjectThenProblem) {
  const Error error(ErrorCode::bad_model, "cat.pt", "record data/3 holds 12 bytes, expected 4096; download it again");
  EXPECT_STREQ(error.what(), "cat.pt: record data/3 holds 12 bytes, expected 4096; download it again");
  EXPECT_EQ(error.subject(), "cat.pt");
  EXPECT_EQ(error.code(), ErrorCode::bad_model);
}

TEST(ErrorTest, WithoutASubjectTheMessageIsTheProblem) {
  EXPECT_STREQ(Error(ErrorCode::cancelled, "", "stopped").what(), "stopped");
}

TEST(ErrorTest, EveryCodeHasItsOwnName) {
  EXPECT_STREQ(to_string(ErrorCode::invalid_argument), "invalid_argument");
  EXPECT_STREQ(to_string(ErrorCode::internal), "internal");
}

}  // namespace ptrun
