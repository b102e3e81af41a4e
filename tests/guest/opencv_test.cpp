// A host with an OpenCV of its own.
#include <gmock/gmock.h>

#include "guest/host.h"

namespace ptrun::test {
namespace {

TEST(GuestOpencvTest, TheHostsOpencvIsNotOurs) {
  // In the global scope, before ptrun opens its own: the order in which names are looked up favours the host's.
  void* other = dlopen(PTRUN_OTHER_OPENCV, RTLD_NOW | RTLD_GLOBAL);
  ASSERT_NE(other, nullptr) << dlerror();
  const Library ptrun;
  const char* fields[] = {"resize_backend", "opencv"};
  ptrun_load_options options{};
  ASSERT_EQ(ptrun.load_options_init(&options, sizeof(options)), PTRUN_OK);
  options.preset_fields = fields;
  options.preset_field_count = 2;
  const Loaded loaded(ptrun, &options, 1, 1);
  const Scores scores = loaded.predict(kData + "/photos/cat.jpg");
  ASSERT_FALSE(scores.empty());
  EXPECT_EQ(scores[0].first, 285);
  const auto calls = reinterpret_cast<int (*)()>(dlsym(other, "ptrun_test_other_opencv_calls"));
  ASSERT_NE(calls, nullptr);
  EXPECT_EQ(calls(), 0) << "ptrun resized with the host's OpenCV";
}

}  // namespace
}  // namespace ptrun::test
