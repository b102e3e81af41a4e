// Decoding only what is read: the same pixels and the same errors as decoding everything.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <filesystem>

#include "ptrun/error.h"
#include "unit/image/test_files.h"

namespace ptrun {
namespace {

using image::Pixels;
using image::Region;

std::vector<std::string> jpeg_files() {
  std::vector<std::string> names;
  for (const char* folder : {"photos", "derived"}) {
    for (const auto& entry : std::filesystem::directory_iterator(std::string(PTRUN_TEST_DATA) + "/" + folder)) {
      if (entry.path().extension() == ".jpg") names.push_back(folder + ("/" + entry.path().filename().string()));
    }
  }
  std::sort(names.begin(), names.end());
  return names;
}

// Decodes into a buffer that holds other bytes, so that what is not written is no leftover of the right picture.
Pixels decode_region(std::string_view bytes, const Region& region, std::size_t size) {
  Pixels pixels;
  pixels.data.assign(size, 0xA5);
  image::DecodeOptions options;
  options.region = [&](int, int) { return region; };
  image::decode(bytes, "test", options, pixels);
  return pixels;
}

std::size_t differing_rows(const Pixels& whole, const Pixels& part, const Region& region) {
  std::size_t count = 0;
  for (int y = region.top; y < region.top + region.height; ++y) {
    const auto at =
        (static_cast<std::size_t>(y) * static_cast<std::size_t>(whole.width) + static_cast<std::size_t>(region.left)) *
        3;
    if (std::memcmp(whole.data.data() + at, part.data.data() + at, static_cast<std::size_t>(region.width) * 3) != 0)
      ++count;
  }
  return count;
}

TEST(Region, EveryPartOfEveryJpegHasThePixelsOfTheWhole) {
  std::uint32_t state = 7;
  const auto random = [&](int first, int last) {
    state = state * 1664525U + 1013904223U;
    return first + static_cast<int>((state >> 8U) % static_cast<std::uint32_t>(last - first + 1));
  };
  const auto files = jpeg_files();
  ASSERT_GE(files.size(), 25U);
  std::size_t left_out = 0;
  for (const std::string& name : files) {
    const std::string bytes = test::read_data(name);
    const Pixels whole = test::decode(bytes);
    for (int i = 0; i < 40; ++i) {
      Region region;
      region.left = random(0, whole.width - 1);
      region.top = random(0, whole.height - 1);
      region.width = random(1, whole.width - region.left);
      region.height = random(1, whole.height - region.top);
      const Pixels part = decode_region(bytes, region, whole.data.size());
      ASSERT_EQ(part.width, whole.width);
      ASSERT_EQ(part.height, whole.height);
      ASSERT_EQ(part.mode, whole.mode);
      ASSERT_EQ(part.exif_orientation, whole.exif_orientation);
      ASSERT_EQ(differing_rows(whole, part, region), 0U)
          << name << " " << region.left << "," << region.top << " " << region.width << "x" << region.height;
      if (part.data != whole.data) ++left_out;
    }
  }
  // It really leaves something out: in most of the photographs, whatever the part.
  EXPECT_GE(left_out, 7U * 20U);
}

TEST(Region, ATruncatedFileIsTheSameErrorWhateverIsRead) {
  const std::string whole = test::read_data("photos/cat.jpg");
  for (const double share : {0.3, 0.6, 0.95, 0.999}) {
    const std::string bytes = whole.substr(0, static_cast<std::size_t>(static_cast<double>(whole.size()) * share));
    std::string expected;
    try {
      test::decode(bytes);
      ADD_FAILURE() << share;
    } catch (const Error& error) {
      expected = error.what();
    }
    try {
      decode_region(bytes, {100, 10, 50, 20}, 0);
      ADD_FAILURE() << share;
    } catch (const Error& error) {
      EXPECT_EQ(error.what(), expected);
    }
  }
}

TEST(Region, ADamagedMiddleIsReadAsTheWholeReadsIt) {
  std::string bytes = test::read_data("photos/cat.jpg");
  for (std::size_t at = bytes.size() / 2; at < bytes.size() / 2 + 40; ++at)
    bytes[at] = static_cast<char>(at * 37 % 255);
  const Pixels whole = test::decode(bytes);
  const Region region = {37, 111, 201, 177};
  EXPECT_EQ(differing_rows(whole, decode_region(bytes, region, whole.data.size()), region), 0U);
}

}  // namespace
}  // namespace ptrun
