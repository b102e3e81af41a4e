// Preprocessing of a partly decoded image, and of one that is resized while it is decoded, equals that of the whole
// one, for every file and way to resize.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>

#include "preprocess/preprocess.h"
#include "unit/image/test_files.h"

namespace ptrun {
namespace {

Preset preset_of(const std::vector<std::pair<std::string, std::string>>& fields) {
  PresetLayer layer;
  for (const auto& [field, value] : fields) set_preset_field(layer, field, value);
  return resolve_preset({layer}).values;
}

TEST(SourceRegion, TheTensorIsThatOfTheWholeImage) {
  const std::vector<Preset> presets = {
      preset_of({}),
      preset_of({{"resize_size", "256"}, {"interpolation", "bicubic"}}),
      preset_of({{"input_size", "64"}, {"crop_pct", "0.5"}, {"interpolation", "lanczos"}}),
      preset_of({{"input_size", "96x200"}, {"interpolation", "box"}, {"crop_pct", "0.7"}}),
      preset_of({{"input_size", "100"}, {"interpolation", "nearest"}, {"resize_size", "300"}}),
      preset_of({{"input_size", "128"}, {"resize_mode", "letterbox"}}),
      preset_of({{"input_size", "90x70"}, {"resize_mode", "stretch"}, {"crop_pct", "0.8"}}),
      preset_of({{"input_size", "300"}, {"crop_mode", "border"}, {"interpolation", "hamming"}}),
      preset_of({{"input_size", "700"}, {"resize_size", "900"}}),
  };
  std::size_t compared = 0;
  std::size_t streamed = 0;
  for (const char* folder : {"photos", "derived"}) {
    for (const auto& entry : std::filesystem::directory_iterator(std::string(PTRUN_TEST_DATA) + "/" + folder)) {
      if (entry.path().extension() != ".jpg") continue;
      const std::string bytes = test::read_data(folder + ("/" + entry.path().filename().string()));
      const image::Pixels whole = test::decode(bytes);
      if (whole.width < 16 || whole.height < 16) continue;
      for (const Preset& preset : presets) {
        image::DecodeOptions options;
        options.region = [&](int width, int height) { return source_region(width, height, preset); };
        image::Pixels part;
        part.data.assign(whole.data.size(), 0x5A);
        image::decode(bytes, "test", options, part);
        const std::size_t size =
            3 * static_cast<std::size_t>(preset.input_height) * static_cast<std::size_t>(preset.input_width);
        std::vector<float> expected(size);
        std::vector<float> found(size);
        for (const ResizeKernel& kernel : resize_kernels()) {
          if (!kernel.usable()) continue;
          PreprocessScratch scratch;
          scratch.resize.kernel = &kernel;
          preprocess(whole, preset, scratch, expected.data());
          preprocess(part, preset, scratch, found.data());
          ASSERT_EQ(found, expected) << entry.path() << " " << kernel.name << " "
                                     << preset_field_text(preset, "input_size");
          ++compared;

          PreprocessRows rows(preset, scratch);
          options.sink = &rows;
          image::Pixels none;
          std::fill(scratch.resized.begin(), scratch.resized.end(), std::uint8_t{0xA5});
          std::fill(scratch.resize.rows.begin(), scratch.resize.rows.end(), std::uint8_t{0xA5});
          std::fill(found.begin(), found.end(), -1.0F);
          image::decode(bytes, "test", options, none);
          const Geometry geometry = preprocess(none, preset, scratch, found.data());
          options.sink = nullptr;
          ASSERT_EQ(found, expected) << entry.path() << " streamed, " << kernel.name;
          EXPECT_EQ(geometry.original_width, whole.width);
          EXPECT_EQ(geometry.original_height, whole.height);
          if (!none.streamed) continue;
          ++streamed;
          EXPECT_TRUE(none.data.empty()) << "the picture lies in memory whole";
        }
      }
    }
  }
  EXPECT_GE(compared, 20U * presets.size());
  EXPECT_GE(streamed, compared / 2);
}

TEST(Reduction, LeavesTwiceWhatIsNeeded) {
  const Preset preset = preset_of({{"resize_size", "256"}});
  EXPECT_EQ(reduction(4000, 3000, preset), 4);
  EXPECT_EQ(reduction(3000, 4000, preset), 4);
  EXPECT_EQ(reduction(8192, 6144, preset), 8);
  EXPECT_EQ(reduction(1366, 1024, preset), 2);
  EXPECT_EQ(reduction(1365, 1023, preset), 1);
  EXPECT_EQ(reduction(500, 375, preset), 1);
  EXPECT_EQ(reduction(1 << 28, 1, preset), 1);  // preprocess() refuses it
}

// Where boxes and pixels of the input stand in the whole picture does not depend on how it was decoded.
TEST(Reduction, TheGeometryIsThatOfTheWholeImage) {
  const Preset preset = preset_of({{"input_size", "32"}, {"resize_size", "40"}});
  const std::string bytes = test::read_data("photos/cat.jpg");
  image::DecodeOptions options;
  image::Pixels pixels;
  PreprocessScratch scratch;
  std::vector<float> whole(std::size_t{3} * 32 * 32);
  std::vector<float> reduced(whole.size());
  image::decode(bytes, "test", options, pixels);
  const Geometry expected = preprocess(pixels, preset, scratch, whole.data());
  options.reduction = [&](int width, int height) { return reduction(width, height, preset); };
  for (const bool streamed : {false, true}) {
    PreprocessRows rows(preset, scratch);
    options.sink = streamed ? &rows : nullptr;
    image::decode(bytes, "test", options, pixels);
    EXPECT_EQ(pixels.reduced, 2);
    EXPECT_EQ(pixels.streamed, streamed);
    const Geometry found = preprocess(pixels, preset, scratch, reduced.data());
    EXPECT_EQ(found.original_width, expected.original_width);
    EXPECT_EQ(found.original_height, expected.original_height);
    EXPECT_EQ(found.scale_x, expected.scale_x);
    EXPECT_EQ(found.scale_y, expected.scale_y);
    EXPECT_EQ(found.offset_x, expected.offset_x);
    EXPECT_NE(reduced, whole);
    for (std::size_t i = 0; i < whole.size(); ++i) ASSERT_NEAR(reduced[i], whole[i], 0.35) << i;
  }
}

}  // namespace
}  // namespace ptrun
