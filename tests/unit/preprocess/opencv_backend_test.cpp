// resize_backend opencv against cv2 itself (tests/data/golden/resize_opencv.json): the bytes must be equal.
#include <gtest/gtest.h>
#include <zlib.h>

#include <fstream>
#include <nlohmann/json.hpp>
#include <string>

#include "preprocess/preprocess.h"
#include "ptrun/error.h"
#include "unit/preprocess/noise.h"

namespace ptrun {
namespace {

using Json = nlohmann::json;

Preset opencv_preset(const std::string& mode, const std::string& input_size) {
  PresetLayer layer;
  set_preset_field(layer, "resize_backend", "opencv");
  set_preset_field(layer, "resize_mode", mode);
  set_preset_field(layer, "input_size", input_size);
  set_preset_field(layer, "crop_pct", "1");
  set_preset_field(layer, "pad_value", "114");
  return resolve_preset({layer}).values;
}

std::uint32_t resized_crc(const Json& row, const Preset& preset, PreprocessScratch& scratch) {
  const image::Pixels pixels = test::noise(row["seed"], row["width"], row["height"]);
  resize_and_crop(pixels, preset, scratch);
  return static_cast<std::uint32_t>(crc32(0, scratch.resized.data(), static_cast<uInt>(scratch.resized.size())));
}

TEST(OpencvBackend, BytesEqualCv2) {
  std::ifstream file(std::string(PTRUN_TEST_DATA) + "/golden/resize_opencv.json");
  const Json golden = Json::parse(file);
  ASSERT_EQ(golden["cases"].size(), 48U);
  PreprocessScratch scratch;
  int differ_from_pillow = 0;
  for (const Json& row : golden["cases"]) {
    Preset preset = opencv_preset(row["mode"], row["input_size"]);
    EXPECT_EQ(resized_crc(row, preset, scratch), row["bytes_crc"].get<std::uint32_t>()) << row.dump();
    preset.resize_backend = ResizeBackend::pillow;
    if (resized_crc(row, preset, scratch) != row["bytes_crc"].get<std::uint32_t>()) ++differ_from_pillow;
  }
  EXPECT_GT(differ_from_pillow, 40);  // the comparison can tell the two resizers apart
}

TEST(OpencvBackend, APartOfTheResultIsThatPartOfTheWhole) {
  PreprocessScratch scratch;
  const image::Pixels pixels = test::noise(5, 300, 200);
  Preset preset = opencv_preset("stretch", "64x64");
  preset.crop_pct = 0.5;  // resized to 128 x 128, the middle 64 x 64 is kept
  resize_and_crop(pixels, preset, scratch);
  const std::vector<std::uint8_t> middle = scratch.resized;
  resize_and_crop(pixels, opencv_preset("stretch", "128x128"), scratch);
  for (std::size_t y = 0; y < 64; ++y)
    for (std::size_t x = 0; x < 64 * 3; ++x)
      ASSERT_EQ(middle[y * 64 * 3 + x], scratch.resized[(y + 32) * 128 * 3 + 32 * 3 + x]) << y << " " << x;
}

TEST(OpencvBackend, OtherFiltersAreRefused) {
  Preset preset = opencv_preset("stretch", "64x64");
  preset.interpolation = Interpolation::bicubic;
  EXPECT_THROW(check_preset(preset), Error);
}

}  // namespace
}  // namespace ptrun
