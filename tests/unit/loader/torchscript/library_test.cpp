// Operators from somebody's library: needed, missing, brought with LoadOptions::operator_libraries. Each test runs in a
// process of its own, as ctest starts it.
#include "operators/library.h"

#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "executor/executor.h"
#include "operators/operators.h"
#include "ptrun/error.h"
#include "ptrun/inspect.h"
#include "support/made_model.h"

namespace ptrun {
namespace {

using test::error_of;
using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;

const std::string kModel = PTRUN_TEST_DATA "/torchscript/needs_library.pt";

TEST(OperatorLibrary, InspectListsWhatIsMissing) {
  const Inspection found = inspect(kModel);
  EXPECT_THAT(found.operators, ElementsAre("aten::mean", "ptrun_test::twice"));
  EXPECT_THAT(found.missing_operators, ElementsAre("ptrun_test::twice"));
  EXPECT_FALSE(found.runnable);
  EXPECT_THAT(found.explanation, AllOf(HasSubstr("ptrun_test::twice"), HasSubstr("--op-library")));
}

TEST(OperatorLibrary, WithoutItTheFileIsRefusedByName) {
  const Error error = error_of([] { load_model(kModel); });
  EXPECT_EQ(error.code(), ErrorCode::unsupported);
  EXPECT_THAT(error.what(), AllOf(HasSubstr("(ptrun_test::twice)"), HasSubstr("--op-library FILE")));
}

TEST(OperatorLibrary, WithItTheFileRuns) {
  LoadOptions options;
  options.operator_libraries = {PTRUN_TEST_OPERATORS};
  const Model model = load_model(kModel, options);
  const at::Tensor images = at::arange(2 * 3 * 4 * 4, at::kFloat).view({2, 3, 4, 4});
  ExecutorOptions two;
  two.batch_size = 2;
  const at::Tensor result = Executor(model, two).run(images).toTensor();
  EXPECT_TRUE(at::allclose(result, images.mean({2, 3}) * 2));
  // Again: known, although operators are registered by now.
  EXPECT_NO_THROW(load_model(kModel, options));
  EXPECT_THAT(load_operator_library(PTRUN_TEST_OPERATORS), ElementsAre("ptrun_test::twice"));
}

TEST(OperatorLibrary, SaysWhyAFileIsNone) {
  EXPECT_THAT(error_of([] { load_operator_library("/nowhere/ops.so"); }).what(), HasSubstr("/nowhere/ops.so"));
  EXPECT_EQ(error_of([] { load_operator_library("/tmp"); }).code(), ErrorCode::not_found);
  const Error error = error_of([] { load_operator_library(kModel); });
  EXPECT_EQ(error.code(), ErrorCode::unsupported);
  EXPECT_THAT(error.what(), HasSubstr("built for LibTorch 2."));
}

TEST(OperatorLibrary, HasToComeBeforeOurOwnOperators) {
  register_operators();
  EXPECT_THAT(error_of([] { load_operator_library(PTRUN_TEST_OPERATORS); }).what(), HasSubstr("before the first one"));
}

}  // namespace
}  // namespace ptrun
