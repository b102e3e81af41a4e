// ptrun inspect through the tool.
#include "cli/cli_test.h"

namespace ptrun::test {
namespace {

using testing::HasSubstr;

class InspectCliTest : public CliTest {};

TEST_F(InspectCliTest, PublishedWeights) {
  const Finished text = run({"inspect", kWeights});
  EXPECT_EQ(text.code, 0) << text.err;
  EXPECT_THAT(text.out, HasSubstr("features.0.0.weight [32, 3, 3, 3]"));
  const Finished json = run({"inspect", kWeights, "--json", "--verify"});
  ASSERT_EQ(json.code, 0) << json.err;
  const auto found = nlohmann::json::parse(json.out, nullptr, false);
  ASSERT_FALSE(found.is_discarded()) << json.out;
  EXPECT_EQ(found["kind"], "state_dict");
}

TEST_F(InspectCliTest, WhatIsNoModel) { expect_refused(run({"inspect", path("missing.pt")}), 3, "missing.pt: "); }

}  // namespace
}  // namespace ptrun::test
