#include "preprocess/preprocess.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <string>
#include <vector>

#include "ptrun/error.h"
#include "unit/preprocess/noise.h"

namespace ptrun {
namespace {

Preset preset_of(const std::vector<std::pair<std::string, std::string>>& fields) {
  PresetLayer layer;
  for (const auto& [name, value] : fields) set_preset_field(layer, name, value);
  return resolve_preset({layer}).values;
}

Geometry geometry_of(int width, int height, const Preset& preset) {
  PreprocessScratch scratch;
  return resize_and_crop(test::noise(1, width, height), preset, scratch);
}

TEST(Preprocess, GeometryOfShortestSideAndCrop) {
  // 500 x 375 becomes 341 x 256; the crop starts at round(58.5) = 58 and 16.
  const Geometry g = geometry_of(500, 375, preset_of({{"input_size", "224"}, {"resize_size", "256"}}));
  EXPECT_EQ(g.original_width, 500);
  EXPECT_EQ(g.input_height, 224);
  EXPECT_DOUBLE_EQ(g.scale_x, 341.0 / 500);
  EXPECT_DOUBLE_EQ(g.scale_y, 256.0 / 375);
  EXPECT_EQ(g.offset_x, -58);
  EXPECT_EQ(g.offset_y, -16);
}

TEST(Preprocess, GeometryOfStretchAndLetterbox) {
  Geometry g = geometry_of(100, 50, preset_of({{"input_size", "20x40"}, {"resize_mode", "stretch"}}));
  EXPECT_DOUBLE_EQ(g.scale_x, 0.4);
  EXPECT_DOUBLE_EQ(g.scale_y, 0.4);
  EXPECT_EQ(g.offset_x, 0);
  // 100 x 50 into 64 x 64: 64 x 32 with 16 rows above.
  g = geometry_of(100, 50, preset_of({{"input_size", "64"}, {"resize_mode", "letterbox"}}));
  EXPECT_DOUBLE_EQ(g.scale_x, 0.64);
  EXPECT_DOUBLE_EQ(g.scale_y, 0.64);
  EXPECT_EQ(g.offset_x, 0);
  EXPECT_EQ(g.offset_y, 16);
}

// torchvision's F.resize(image, [520]) of such photos.
TEST(Preprocess, WithoutACropTheInputFollowsThePhoto) {
  const Preset preset = preset_of({{"input_size", "520"}, {"crop_mode", "none"}});
  EXPECT_TRUE(input_size_varies(preset));
  const auto size = [&](int width, int height) {
    const Preset own = preset_for(width, height, preset);
    return std::pair(own.input_width, own.input_height);
  };
  EXPECT_EQ(size(451, 300), std::pair(781, 520));
  EXPECT_EQ(size(300, 451), std::pair(520, 781));
  EXPECT_EQ(size(500, 375), std::pair(693, 520));
  const Geometry g = geometry_of(451, 300, preset_for(451, 300, preset));
  EXPECT_EQ(g.input_width, 781);
  EXPECT_EQ(g.offset_x, 0);
  EXPECT_EQ(g.offset_y, 0);
  EXPECT_DOUBLE_EQ(g.scale_x, 781.0 / 451);
  try {
    preset_for(4000, 1, preset);
    ADD_FAILURE() << "was accepted";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::limit_exceeded);
    EXPECT_THAT(error.what(), testing::HasSubstr("2080000 x 520 pixels"));
  }
  EXPECT_FALSE(input_size_varies(preset_of({{"crop_mode", "none"}, {"resize_mode", "stretch"}})));
  EXPECT_FALSE(input_size_varies(preset_of({})));
  EXPECT_THROW(check_preset(preset_of({{"input_size", "96x128"}, {"crop_mode", "none"}})), Error);
}

TEST(Preprocess, LetterboxPutsTheOddPixelBelow) {
  PreprocessScratch scratch;
  // 10 x 7 into 20 x 19: 20 x 14, 5 rows left: 2 above, 3 below.
  const Preset preset = preset_of({{"input_size", "19x20"}, {"resize_mode", "letterbox"}, {"pad_value", "7"}});
  const Geometry g = resize_and_crop(test::noise(2, 10, 7), preset, scratch);
  EXPECT_EQ(g.offset_y, 2);
  for (std::size_t y = 0; y < 19; ++y) {
    const bool all_padding = std::all_of(scratch.resized.begin() + static_cast<std::ptrdiff_t>(y * 60),
                                         scratch.resized.begin() + static_cast<std::ptrdiff_t>(y * 60 + 60),
                                         [](std::uint8_t value) { return value == 7; });
    EXPECT_EQ(all_padding, y < 2 || y >= 16) << y;
  }
}

// A point of the original lands where the geometry says: a single bright column, found again after the resize.
TEST(Preprocess, GeometryMapsPixelsToPixels) {
  image::Pixels pixels = test::noise(1, 300, 200);
  std::fill(pixels.data.begin(), pixels.data.end(), std::uint8_t{0});
  for (std::size_t y = 0; y < 200; ++y)
    for (std::size_t x = 150; x < 156; ++x) pixels.data[(y * 300 + x) * 3] = 255;
  PreprocessScratch scratch;
  for (const char* mode : {"shortest", "stretch", "letterbox"}) {
    const Preset preset = preset_of({{"input_size", "96x128"}, {"resize_mode", mode}, {"pad_value", "0"}});
    const Geometry g = resize_and_crop(pixels, preset, scratch);
    const std::uint8_t* row = scratch.resized.data() + std::size_t{48} * 128 * 3;
    double sum = 0;
    double weighted = 0;
    for (std::size_t x = 0; x < 128; ++x) {
      sum += row[x * 3];
      weighted += row[x * 3] * (static_cast<double>(x) + 0.5);
    }
    EXPECT_NEAR(weighted / sum, 153.0 * g.scale_x + g.offset_x, 0.05) << mode;
  }
}

TEST(Preprocess, APartIsThatPartOfTheWhole) {
  const image::Pixels pixels = test::noise(9, 123, 77);
  ResizeScratch scratch;
  const int width = 60;
  const int height = 91;
  for (const Interpolation filter : {Interpolation::nearest, Interpolation::box, Interpolation::bilinear,
                                     Interpolation::hamming, Interpolation::bicubic, Interpolation::lanczos}) {
    std::vector<std::uint8_t> whole(static_cast<std::size_t>(width) * height * 3);
    resize_part(pixels.data.data(), {123, width, 0, width}, {77, height, 0, height}, filter, scratch, whole.data(),
                width * 3);
    std::vector<std::uint8_t> part(10 * 20 * 3);
    resize_part(pixels.data.data(), {123, width, 13, 10}, {77, height, 70, 20}, filter, scratch, part.data(), 10 * 3);
    for (std::size_t y = 0; y < 20; ++y)
      for (std::size_t i = 0; i < 30; ++i)
        ASSERT_EQ(part[y * 30 + i], whole[(y + 70) * width * 3 + 13 * 3 + i]) << y << " " << i;
  }
}

// The plain loops are compared with Pillow's numbers as well, whatever processor the golden test ran on.
TEST(Preprocess, EveryKernelGivesTheSameBits) {
  ASSERT_EQ(resize_kernels().back().name, "scalar");
  ASSERT_TRUE(resize_kernels().back().usable());
  std::uint32_t state = 1;
  const auto random = [&](int below) {
    state = state * 1664525U + 1013904223U;
    return static_cast<int>((state >> 8U) % static_cast<std::uint32_t>(below)) + 1;
  };
  ResizeScratch plain;
  plain.kernel = &resize_kernels().back();
  for (int i = 0; i < 400; ++i) {
    const int width = random(i % 4 == 0 ? 5 : 90);
    const int height = random(i % 4 == 1 ? 5 : 90);
    const ResizeAxis x{width, random(70), 0, 0};
    const ResizeAxis y{height, random(70), 0, 0};
    const ResizeAxis part_x{x.in, x.out, x.out / 3, x.out - x.out / 3};
    const ResizeAxis part_y{y.in, y.out, y.out / 4, y.out - y.out / 4};
    // Exactly as large as the picture, so that a sanitizer sees a read behind it.
    const image::Pixels pixels = test::noise(static_cast<std::uint32_t>(i), width, height);
    const std::size_t stride = static_cast<std::size_t>(part_x.count) * 3;
    std::vector<std::uint8_t> expected(stride * static_cast<std::size_t>(part_y.count));
    const auto filter = static_cast<Interpolation>(i % 6);
    resize_part(pixels.data.data(), part_x, part_y, filter, plain, expected.data(), stride);
    for (const ResizeKernel& kernel : resize_kernels()) {
      if (!kernel.usable()) continue;
      ResizeScratch scratch;
      scratch.kernel = &kernel;
      std::vector<std::uint8_t> found(expected.size());
      resize_part(pixels.data.data(), part_x, part_y, filter, scratch, found.data(), stride);
      ASSERT_EQ(found, expected) << kernel.name << " " << width << " x " << height << " to " << x.out << " x " << y.out;
    }
  }
}

TEST(Preprocess, TheSecondImageOfASizeAllocatesNothing) {
  const image::Pixels pixels = test::noise(3, 320, 240);
  const Preset preset = preset_of({{"input_size", "64"}});
  PreprocessScratch scratch;
  std::vector<float> row(3 * 64 * 64);
  preprocess(pixels, preset, scratch, row.data());
  const void* buffers[] = {scratch.resized.data(), scratch.resize.rows.data(), scratch.resize.horizontal.weights.data(),
                           scratch.resize.vertical.spans.data()};
  const std::vector<float> first = row;
  preprocess(test::noise(4, 30, 24), preset, scratch, row.data());
  preprocess(pixels, preset, scratch, row.data());
  EXPECT_EQ(row, first);
  EXPECT_EQ(scratch.resized.data(), buffers[0]);
  EXPECT_EQ(scratch.resize.rows.data(), buffers[1]);
  EXPECT_EQ(scratch.resize.horizontal.weights.data(), buffers[2]);
  EXPECT_EQ(scratch.resize.vertical.spans.data(), buffers[3]);
}

TEST(Preprocess, UnitValuesForModulesThatPrepareThemselves) {
  const image::Pixels pixels = test::noise(5, 3, 2);
  std::vector<float> chw(18);
  Preset preset;
  const Geometry g = to_unit_chw(pixels, preset, chw.data());
  EXPECT_EQ(g.input_width, 3);
  EXPECT_EQ(g.scale_x, 1.0);
  EXPECT_EQ(chw[0], static_cast<float>(pixels.data[0]) / 255.0F);
  EXPECT_EQ(chw[6], static_cast<float>(pixels.data[1]) / 255.0F);
  preset.channel_order = ChannelOrder::bgr;
  to_unit_chw(pixels, preset, chw.data());
  EXPECT_EQ(chw[0], static_cast<float>(pixels.data[2]) / 255.0F);
}

TEST(Preprocess, WhatCannotBeFollowedIsRefused) {
  PreprocessScratch scratch;
  Preset preset;
  preset.resize_backend = ResizeBackend::tensor;
  EXPECT_THROW(check_preset(preset), Error);
  try {
    resize_and_crop({}, {}, scratch);
    ADD_FAILURE();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::bad_image);
  }
}

// A strip of one pixel would become 256 x 268 million; only the crop is computed, in an instant.
TEST(Preprocess, ExtremeShapes) {
  PreprocessScratch scratch;
  Preset preset;
  for (const auto& [width, height] : {std::pair(1, 1 << 20), std::pair(1 << 20, 1)}) {
    const Geometry g = resize_and_crop(test::noise(1, width, height), preset, scratch);
    EXPECT_EQ(g.input_width, 224);
  }
  preset.resize_size = 16384;
  try {
    resize_and_crop(test::noise(1, 1, 1 << 20), preset, scratch);
    ADD_FAILURE();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::limit_exceeded);
    EXPECT_THAT(error.what(), ::testing::HasSubstr("use stretch or letterbox"));
  }
}

}  // namespace
}  // namespace ptrun
