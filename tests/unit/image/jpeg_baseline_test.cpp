// jpeg_baseline/ against libjpeg: the same bytes by every set of loops, and a word on which of the two decoded.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>

#include "unit/image/both_ways.h"
#include "unit/image/made_jpeg.h"
#include "unit/image/test_files.h"

namespace ptrun {
namespace {

using image::Region;
using test::Decoded;
using test::MadeJpeg;
using test::Texture;

struct Random {
  std::uint32_t state = 1;
  int operator()(int first, int last) {
    state = state * 1664525U + 1013904223U;
    return first + static_cast<int>((state >> 8U) % static_cast<std::uint32_t>(last - first + 1));
  }
};

std::string name_of(const MadeJpeg& made) {
  return std::to_string(made.width) + "x" + std::to_string(made.height) + " components " +
         std::to_string(made.components) + " sampling " + std::to_string(made.across) + std::to_string(made.down) +
         " quality " + std::to_string(made.quality) + " restart " + std::to_string(made.restart) + " texture " +
         std::to_string(static_cast<int>(made.texture)) + " seed " + std::to_string(made.seed);
}

// Of those that have chroma rows too narrow for the filter.
bool is_narrow(const MadeJpeg& made) { return made.components == 3 && made.across == 2 && made.width <= 4; }

MadeJpeg any_kind(Random& random) {
  MadeJpeg made;
  const int kind = random(0, 3);
  made.components = kind == 0 ? 1 : 3;
  made.across = kind >= 2 ? 2 : 1;
  made.down = kind == 3 ? 2 : 1;
  made.optimise = random(0, 1) == 1;
  made.restart = random(0, 2) == 0 ? random(1, 9) : 0;
  made.seed = static_cast<std::uint32_t>(random(1, 1 << 20));
  return made;
}

// By every set of loops, whole and row by row.
void expect_same(const std::string& bytes, const std::string& name, bool ours) {
  image::Pixels pixels;
  const Decoded expected = test::decode_by(nullptr, bytes, pixels);
  ASSERT_EQ(expected.error, "") << name;
  ASSERT_FALSE(expected.baseline);
  for (const image::JpegKernel* kernel : test::usable_kernels()) {
    const Decoded found = test::decode_by(kernel, bytes, pixels);
    ASSERT_TRUE(found == expected) << name << " by " << kernel->name;
    ASSERT_EQ(found.baseline, ours) << name << " by " << kernel->name;
    test::KeptRows sink;
    image::DecodeOptions options;
    options.sink = &sink;
    ASSERT_EQ(test::decode_by(kernel, bytes, pixels, options).baseline, ours);
    ASSERT_TRUE(sink.in_order);
    ASSERT_TRUE(sink.data == expected.data) << name << " by " << kernel->name << ", rows";
  }
}

TEST(JpegBaseline, EverySizeAndSampling) {
  Random random;
  for (int width = 1; width <= 70; ++width)
    for (const int height : {1, 2, 7, 8, 9, 15, 16, 17, 31, 33, random(34, 70)})
      for (int kind = 0; kind < 4; ++kind) {
        MadeJpeg made = any_kind(random);
        made.width = width;
        made.height = height;
        made.components = kind == 0 ? 1 : 3;
        made.across = kind >= 2 ? 2 : 1;
        made.down = kind == 3 ? 2 : 1;
        expect_same(test::make_jpeg(made), name_of(made), !is_narrow(made));
        if (HasFatalFailure()) return;
      }
}

TEST(JpegBaseline, EveryQuality) {
  Random random;
  for (int quality = 1; quality <= 100; ++quality)
    for (int i = 0; i < 8; ++i) {
      MadeJpeg made = any_kind(random);
      made.width = random(17, 150);
      made.height = random(17, 90);
      made.quality = quality;
      expect_same(test::make_jpeg(made), name_of(made), true);
      if (HasFatalFailure()) return;
    }
}

// Where the samples leave the range by far, libjpeg's transforms could differ; whoever decodes, the bytes are the same.
TEST(JpegBaseline, HardTextures) {
  Random random;
  int ours = 0;
  int files = 0;
  image::Pixels pixels;
  for (const Texture texture : {Texture::noise, Texture::edges, Texture::black_and_white})
    for (const int quality : {1, 2, 5, 10, 25, 50, 75, 90, 96, 100})
      for (int i = 0; i < 6; ++i) {
        MadeJpeg made = any_kind(random);
        made.width = random(5, 120);
        made.height = random(1, 120);
        made.quality = quality;
        made.texture = texture;
        made.large_steps = i == 5;
        const std::string bytes = test::make_jpeg(made);
        const Decoded expected = test::decode_by(nullptr, bytes, pixels);
        ++files;
        bool first = true;
        bool taken = false;
        for (const image::JpegKernel* kernel : test::usable_kernels()) {
          const Decoded found = test::decode_by(kernel, bytes, pixels);
          ASSERT_TRUE(found == expected) << name_of(made) << " by " << kernel->name;
          // What is left to libjpeg does not depend on the processor.
          if (first) taken = found.baseline;
          ASSERT_EQ(found.baseline, taken) << name_of(made) << " by " << kernel->name;
          first = false;
        }
        ours += taken ? 1 : 0;
      }
  EXPECT_GT(ours, files / 2);
  EXPECT_LT(ours, files);
}

// More bytes than the window of the scan reader has, with and without segments.
TEST(JpegBaseline, LongScans) {
  for (const int restart : {0, 1, 37, 1000}) {
    MadeJpeg made;
    made.width = 331;
    made.height = 257;
    made.quality = 100;
    made.texture = Texture::noise;
    made.restart = restart;
    const std::string bytes = test::make_jpeg(made);
    ASSERT_GT(bytes.size(), 100'000U);
    expect_same(bytes, name_of(made), true);
  }
}

TEST(JpegBaseline, EveryPartHasThePixelsOfTheWhole) {
  Random random;
  image::Pixels pixels;
  for (int i = 0; i < 300; ++i) {
    MadeJpeg made = any_kind(random);
    made.width = random(5, 130);
    made.height = random(1, 110);
    const std::string bytes = test::make_jpeg(made);
    const Decoded whole = test::decode_by(nullptr, bytes, pixels);
    Region region;
    region.left = random(0, made.width - 1);
    region.top = random(0, made.height - 1);
    region.width = random(1, made.width - region.left);
    region.height = random(1, made.height - region.top);
    image::DecodeOptions options;
    options.region = [&](int, int) { return region; };
    for (const image::JpegKernel* kernel : test::usable_kernels()) {
      const Decoded found = test::decode_by(kernel, bytes, pixels, options);
      ASSERT_TRUE(found.baseline);
      ASSERT_EQ(test::part_of(found.data, made.width, region), test::part_of(whole.data, made.width, region))
          << name_of(made) << " " << region.left << "," << region.top << " " << region.width << "x" << region.height;
      test::KeptRows sink;
      image::DecodeOptions by_rows = options;
      by_rows.sink = &sink;
      test::decode_by(kernel, bytes, pixels, by_rows);
      ASSERT_EQ(test::part_of(sink.data, made.width, region), test::part_of(whole.data, made.width, region))
          << name_of(made);
    }
  }
}

TEST(JpegBaseline, EveryJpegOfTheTestData) {
  image::Pixels pixels;
  std::vector<std::string> left;
  int files = 0;
  for (const char* folder : {"photos", "derived"})
    for (const auto& entry : std::filesystem::directory_iterator(std::string(PTRUN_TEST_DATA) + "/" + folder)) {
      if (entry.path().extension() != ".jpg" || entry.path().filename() == "png_named.jpg") continue;
      const std::string name = folder + ("/" + entry.path().filename().string());
      const std::string bytes = test::read_data(name);
      const Decoded expected = test::decode_by(nullptr, bytes, pixels);
      for (const image::JpegKernel* kernel : test::usable_kernels()) {
        const Decoded found = test::decode_by(kernel, bytes, pixels);
        EXPECT_TRUE(found == expected) << name << " by " << kernel->name;
        if (!found.baseline && kernel == test::usable_kernels().front())
          left.push_back(entry.path().filename().string());
      }
      ++files;
    }
  EXPECT_GE(files, 25);
  EXPECT_THAT(left,
              ::testing::UnorderedElementsAre("progressive.jpg", "cmyk_adobe.jpg", "cmyk_plain.jpg", "ycck_adobe.jpg",
                                              "rgb_adobe.jpg", "size_1x1.jpg", "size_1x40.jpg", "size_3x2000.jpg"));
}

// Without being asked: wherever there are vector loops, and only there, because libjpeg's are faster than plain ones.
TEST(JpegBaseline, IsTheDefaultWhereItIsFaster) {
  const image::JpegKernel* fastest = test::usable_kernels().front();
  if (std::getenv("PTRUN_KERNELS") == nullptr) {
    EXPECT_EQ(image::best_jpeg_kernel(), fastest->lanes > 1 ? fastest : nullptr);
  }
  const image::Pixels pixels = test::decode(test::read_data("photos/cat.jpg"));
  EXPECT_EQ(pixels.baseline, image::best_jpeg_kernel() != nullptr);
}

TEST(JpegBaseline, OtherKindsAreLeftToLibjpeg) {
  const auto left = [](const char* what, auto change) {
    MadeJpeg made;
    change(made);
    expect_same(test::make_jpeg(made), what, false);
  };
  expect_same(test::make_jpeg({}), "the common kind", true);
  left("progressive", [](MadeJpeg& made) { made.progressive = true; });
  left("arithmetic", [](MadeJpeg& made) { made.arithmetic = true; });
  left("a scan for each component", [](MadeJpeg& made) { made.separate_scans = true; });
  left("4:4:0", [](MadeJpeg& made) { made.across = 1; });
  left("4:1:1", [](MadeJpeg& made) { made.across = 4, made.down = 1; });
  left("stored RGB", [](MadeJpeg& made) { made.rgb = true, made.across = made.down = 1; });
  left("large steps", [](MadeJpeg& made) { made.quality = 1, made.large_steps = true; });
}

// libjpeg's scaled pictures, whole, in parts and row by row.
TEST(JpegBaseline, ReducedPictures) {
  Random random;
  image::Pixels pixels;
  int ours = 0;
  int files = 0;
  for (const int reduction : {2, 4, 8})
    for (int i = 0; i < 400; ++i) {
      MadeJpeg made = any_kind(random);
      made.width = random(1, 150);
      made.height = random(1, 100);
      made.quality = random(1, 100);
      made.texture = i % 5 == 0 ? Texture::noise : i % 5 == 1 ? Texture::edges : Texture::smooth;
      const std::string bytes = test::make_jpeg(made);
      image::DecodeOptions options;
      options.reduction = [&](int, int) { return reduction; };
      const Decoded whole = test::decode_by(nullptr, bytes, pixels, options);
      ASSERT_EQ(whole.width, (made.width + reduction - 1) / reduction);
      Region region;
      region.left = random(0, whole.width - 1);
      region.top = random(0, whole.height - 1);
      region.width = random(1, whole.width - region.left);
      region.height = random(1, whole.height - region.top);
      bool taken = false;
      for (const image::JpegKernel* kernel : test::usable_kernels()) {
        const Decoded found = test::decode_by(kernel, bytes, pixels, options);
        ASSERT_TRUE(found == whole) << name_of(made) << " by " << kernel->name << ", 1/" << reduction;
        if (kernel == test::usable_kernels().front()) taken = found.baseline;
        ASSERT_EQ(found.baseline, taken) << name_of(made) << " by " << kernel->name << ", 1/" << reduction;
        test::KeptRows sink;
        image::DecodeOptions of_part = options;
        of_part.region = [&](int, int) { return region; };
        of_part.sink = &sink;
        test::decode_by(kernel, bytes, pixels, of_part);
        ASSERT_EQ(test::part_of(sink.data, whole.width, region), test::part_of(whole.data, whole.width, region))
            << name_of(made) << " by " << kernel->name << ", 1/" << reduction;
        ours += found.baseline ? 1 : 0;
        ++files;
      }
    }
  EXPECT_GT(ours, files * 3 / 4);
  EXPECT_LT(ours, files);
}

// Damage in the last rows: those before it were handed over already, and all of them come again.
TEST(JpegBaseline, RowsComeAgainWhereTheEndIsDamaged) {
  MadeJpeg made;
  made.width = made.height = 200;
  std::string bytes = test::make_jpeg(made);
  bytes.replace(bytes.size() - 60, 40, std::string(40, '\x55'));
  expect_same(bytes, "damaged", false);
}

// Without its end marker a file is an error, whatever is read of it.
TEST(JpegBaseline, AMissingEndIsAnError) {
  std::string bytes = test::make_jpeg({});
  bytes.resize(bytes.size() - 2);
  image::Pixels pixels;
  image::DecodeOptions options;
  options.region = [](int, int) { return Region{0, 0, 8, 8}; };
  const Decoded expected = test::decode_by(nullptr, bytes, pixels, options);
  EXPECT_THAT(expected.error, ::testing::HasSubstr("truncated"));
  EXPECT_EQ(test::decode_by(&image::jpeg_kernels().back(), bytes, pixels, options).error, expected.error);
}

// Fill bytes before a marker and bytes behind the picture are regular.
TEST(JpegBaseline, FillBytesAndTrailingBytes) {
  MadeJpeg made;
  made.restart = 2;
  std::string bytes = test::make_jpeg(made);
  for (const char* marker : {"\xFF\xD0", "\xFF\xD9"}) bytes.insert(bytes.rfind(marker), "\xFF\xFF");
  expect_same(bytes + "trailing", "filled", true);
}

}  // namespace
}  // namespace ptrun
