#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "executor/cuda_module.h"
#include "ptrun/device.h"
#include "ptrun/error.h"

namespace ptrun {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

TEST(Devices, TheProcessorIsFirstAndDescribed) {
  const auto all = devices();
  ASSERT_FALSE(all.empty());
  EXPECT_EQ(all.front().name, "cpu");
  EXPECT_THAT(all.front().description, ::testing::ContainsRegex("[0-9]+ CPU"));
}

TEST(Devices, TextIsReadOrAnswered) {
  EXPECT_EQ(parse_device("cpu").kind, Device::Kind::cpu);
  EXPECT_EQ(to_string(Device{Device::Kind::cuda, 1}), "cuda:1");
  EXPECT_EQ(to_string(Device{}), "cpu");
  for (const char* text : {"", "gpu", "cuda:", "cuda:x", "-1", "cuda:0x1", "1234", "CPU"}) {
    try {
      parse_device(text);
      ADD_FAILURE() << text;
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::invalid_argument) << text;
      EXPECT_THAT(error.what(), HasSubstr("cuda:N"));
    }
  }
}

TEST(Devices, AGpuThatIsNotThereIsAnsweredWithWhatIs) {
  // Number 99 is not there on any machine.
  for (const char* text : {"cuda:99", "99"}) {
    try {
      parse_device(text);
      ADD_FAILURE() << text;
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::device_unavailable);
      EXPECT_THAT(error.what(), AllOf(HasSubstr(text), HasSubstr("cpu ("), HasSubstr("--device cpu")));
    }
  }
  EXPECT_NO_THROW(parse_device("auto"));
}

TEST(Devices, WithoutADriverTheCudaModuleIsNeverOpened) {
  if (gpu_present()) {
    EXPECT_EQ(parse_device("auto").kind, devices().size() > 1 ? Device::Kind::cuda : Device::Kind::cpu);
    return;
  }
  EXPECT_EQ(devices().size(), 1U);
  EXPECT_EQ(parse_device("auto").kind, Device::Kind::cpu);
  EXPECT_THROW(parse_device("cuda"), Error);
}

}  // namespace
}  // namespace ptrun
