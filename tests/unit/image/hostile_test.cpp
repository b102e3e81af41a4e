// Damaged files of every codec: an error or a picture, never a crash, never another picture's pixels. Run under ASan
// and UBSan as well.
#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "image/image.h"
#include "ptrun/error.h"
#include "unit/image/test_files.h"

namespace ptrun {
namespace {

const std::vector<std::string>& small_files() {
  static const std::vector<std::string> kFiles = {
      "size_17x33.jpg",        "size_40x1.jpg",
      "exif_6_big_endian.jpg", "progressive.jpg",
      "cmyk_adobe.jpg",        "size_17x33.png",
      "palette_2bit.png",      "one_bit.png",
      "grey16_dark.png",       "rgb_interlaced.png",
      "lossy_alpha.webp",      "animated.webp",
      "lossless.webp",         "one_bit.tif",
      "rgb_jpeg.tif",          "rgb_lzw.tif",
      "palette.tif",           "palette.gif",
      "interlaced.gif",        "frame_smaller_than_screen.gif",
      "palette.bmp",           "rgb.bmp",
  };
  return kFiles;
}

std::string read(const std::string& name) { return test::read_data("derived/" + name); }

// 0 when `bytes` are refused, otherwise the CRC of the picture. Any other exception fails the test.
std::uint32_t try_decode(std::string_view bytes, image::Pixels& pixels) {
  try {
    image::decode(bytes, "damaged", {}, pixels);
    EXPECT_EQ(pixels.data.size(), static_cast<std::size_t>(pixels.width) * static_cast<std::size_t>(pixels.height) * 3);
    return test::crc(pixels) | 1U;
  } catch (const Error& error) {
    EXPECT_TRUE(error.code() == ErrorCode::bad_image || error.code() == ErrorCode::limit_exceeded) << error.what();
    EXPECT_GT(error.problem().size(), 10U);
    return 0;
  }
}

// Every length of a small file, about 2000 of a larger one: refused, or the whole picture (where what is missing lies
// behind it); never half of one.
TEST(Hostile, EveryTruncationIsRefusedOrWhole) {
  image::Pixels pixels;
  std::size_t cuts = 0;
  for (const std::string& name : small_files()) {
    const std::string bytes = read(name);
    ASSERT_FALSE(bytes.empty()) << name;
    const std::uint32_t whole = try_decode(bytes, pixels);
    ASSERT_NE(whole, 0U) << name;
    const std::size_t step = std::max<std::size_t>(1, bytes.size() / 2000);
    for (std::size_t size = 0; size < bytes.size(); size += size + 64 < bytes.size() ? step : 1) {
      // A copy of its own, so that a sanitizer sees a read behind the end.
      const std::string cut = bytes.substr(0, size);
      const std::uint32_t found = try_decode(cut, pixels);
      EXPECT_TRUE(found == 0 || found == whole) << name << " cut at " << size;
      if (size < bytes.size() / 4) {
        EXPECT_EQ(found, 0U) << name << " cut at " << size;
      }
      ++cuts;
    }
  }
  EXPECT_GT(cuts, 20000U);
}

// Changed bytes: anything goes but a crash, a hang or another kind of error.
TEST(Hostile, ChangedBytes) {
  image::Pixels pixels;
  std::uint32_t state = 12345;
  const auto random = [&](std::size_t below) {
    state = state * 1664525U + 1013904223U;
    return static_cast<std::size_t>(state >> 8U) % below;
  };
  int refused = 0;
  int accepted = 0;
  for (const std::string& name : small_files()) {
    const std::string bytes = read(name);
    for (int i = 0; i < 300; ++i) {
      std::string changed = bytes;
      // Half of them in the header, where the structure is.
      const std::size_t range = i % 2 == 0 ? std::min<std::size_t>(bytes.size(), 200) : bytes.size();
      for (std::size_t k = 0; k <= random(4); ++k) changed[random(range)] = static_cast<char>(random(256));
      (try_decode(changed, pixels) == 0 ? refused : accepted) += 1;
    }
  }
  EXPECT_GT(refused, 1000);
  EXPECT_GT(accepted, 1000);
}

// One buffer for all, as in a worker: what a damaged file gives never depends on the file before it.
TEST(Hostile, NoPixelsLeakFromImageToImage) {
  const std::string good = read("sampling_444.jpg");
  const std::string other = read("sampling_422.jpg");
  std::vector<std::string> damaged;
  for (const char* name : {"sampling_422.jpg", "progressive.jpg", "cmyk_adobe.jpg", "grey.png", "rgb_interlaced.png",
                           "palette.gif", "interlaced.gif", "rgb_lzw.tif", "lossy.webp", "rgb.bmp"}) {
    const std::string bytes = read(name);
    damaged.push_back(bytes.substr(0, bytes.size() / 2));
    // Damaged but complete: the codec may fill in what it cannot read.
    std::string scratched = bytes;
    for (std::size_t i = scratched.size() / 2; i < scratched.size() / 2 + 8; ++i) scratched[i] ^= '\x55';
    damaged.push_back(scratched);
  }
  std::vector<std::uint32_t> alone;
  for (const std::string& bytes : damaged) {
    image::Pixels fresh;
    alone.push_back(try_decode(bytes, fresh));
  }
  image::Pixels shared;
  const std::uint32_t expected = try_decode(good, shared);
  const std::uint32_t expected_other = try_decode(other, shared);
  for (int round = 0; round < 50; ++round)
    for (std::size_t i = 0; i < damaged.size(); ++i) {
      // Buffers full of something else before each damaged file.
      std::fill(shared.data.begin(), shared.data.end(), static_cast<std::uint8_t>(round * 7 + 1));
      std::fill(shared.scratch.begin(), shared.scratch.end(), static_cast<std::uint8_t>(round * 5 + 3));
      EXPECT_EQ(try_decode(damaged[i], shared), alone[i]) << i;
      EXPECT_EQ(try_decode(round % 2 == 0 ? good : other, shared), round % 2 == 0 ? expected : expected_other);
    }
}

}  // namespace
}  // namespace ptrun
