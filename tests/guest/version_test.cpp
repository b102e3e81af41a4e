// A host that loaded LibTorch of another version before ptrun. A program of its own: the version is asked once a
// process.
#include <gmock/gmock.h>

#include "guest/host.h"

namespace ptrun::test {
namespace {

TEST(GuestVersionTest, LibTorchOfAnotherVersionIsRefused) {
  void* other = dlopen(PTRUN_OTHER_VERSION, RTLD_NOW | RTLD_GLOBAL);
  ASSERT_NE(other, nullptr) << dlerror();
  const Library ptrun;
  ptrun_model* model = nullptr;
  EXPECT_EQ(ptrun.load(kWeights.c_str(), nullptr, &model), PTRUN_UNSUPPORTED);
  EXPECT_EQ(model, nullptr);
  EXPECT_THAT(ptrun.last_error(),
              testing::AllOf(testing::StartsWith("LibTorch: version 1.2.3 was loaded"),
                             testing::HasSubstr("expected 2."), testing::HasSubstr("use that one")));
  // What needs no LibTorch works on.
  ptrun_text* text = nullptr;
  EXPECT_EQ(ptrun.inspect(kWeights.c_str(), 1, &text), PTRUN_OK) << ptrun.last_error();
  EXPECT_EQ(ptrun.text_free(text), PTRUN_OK);
}

}  // namespace
}  // namespace ptrun::test
