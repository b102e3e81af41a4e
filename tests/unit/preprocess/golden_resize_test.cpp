// Resize, crop and normalise against numbers from Pillow, torchvision and timm (tests/data/golden/resize.json): the
// bytes must be equal, and so must the bits of the tensor.
#include <gtest/gtest.h>
#include <zlib.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "preprocess/preprocess.h"
#include "unit/preprocess/noise.h"

namespace ptrun {
namespace {

using Json = nlohmann::json;

Json golden() {
  std::ifstream file(std::string(PTRUN_TEST_DATA) + "/golden/resize.json");
  return Json::parse(file);
}

std::uint32_t crc(const void* data, std::size_t size) {
  return static_cast<std::uint32_t>(crc32(0, static_cast<const Bytef*>(data), static_cast<uInt>(size)));
}

std::uint32_t crc(const std::vector<std::uint8_t>& bytes) { return crc(bytes.data(), bytes.size()); }

Preset preset_of(const Json& fields) {
  PresetLayer layer;
  layer.source = "golden";
  for (const auto& [name, value] : fields.items()) set_preset_field(layer, name, value.get<std::string>());
  return resolve_preset({layer}).values;
}

std::string text_of(const Json& row) {
  return row["preset"].dump() + " of " + row["width"].dump() + " x " + row["height"].dump();
}

struct Result {
  std::vector<std::uint8_t> bytes;
  std::vector<float> tensor;
};

Result run(const Json& row, const Preset& preset, PreprocessScratch& scratch) {
  const image::Pixels pixels =
      test::noise(row["seed"].get<std::uint32_t>(), row["width"].get<int>(), row["height"].get<int>());
  Result result;
  result.tensor.resize(static_cast<std::size_t>(preset.input_height) * static_cast<std::size_t>(preset.input_width) *
                       3);
  preprocess(pixels, preset, scratch, result.tensor.data());
  result.bytes = scratch.resized;
  return result;
}

TEST(GoldenResize, BytesAndTensorsEqualPython) {
  const Json all = golden();
  ASSERT_GT(all["cases"].size(), 400U);
  PreprocessScratch scratch;
  PreprocessScratch plain;  // the loops for every processor
  plain.resize.kernel = &resize_kernels().back();
  for (const Json& row : all["cases"]) {
    EXPECT_EQ(crc(run(row, preset_of(row["preset"]), plain).bytes), row["bytes_crc"].get<std::uint32_t>())
        << text_of(row);
    const Result result = run(row, preset_of(row["preset"]), scratch);
    EXPECT_EQ(crc(result.bytes.data(), result.bytes.size()), row["bytes_crc"].get<std::uint32_t>()) << text_of(row);
    EXPECT_EQ(result.tensor.front(), row["first"].get<float>()) << text_of(row);
    EXPECT_EQ(result.tensor.back(), row["last"].get<float>()) << text_of(row);
    EXPECT_EQ(crc(result.tensor.data(), result.tensor.size() * sizeof(float)), row["tensor_crc"].get<std::uint32_t>())
        << text_of(row);
  }
}

// Bilinear without antialiasing: 2 x 2 source pixels whatever the scale.
image::Pixels without_antialias(const image::Pixels& in, int width, int height) {
  image::Pixels out;
  out.width = width;
  out.height = height;
  for (int y = 0; y < height; ++y)
    for (int x = 0; x < width; ++x) {
      const double fx = std::clamp((x + 0.5) * in.width / width - 0.5, 0.0, in.width - 1.0);
      const double fy = std::clamp((y + 0.5) * in.height / height - 0.5, 0.0, in.height - 1.0);
      const int x0 = static_cast<int>(fx);
      const int y0 = static_cast<int>(fy);
      const auto at = [&](int px, int py, int c) {
        return static_cast<double>(in.data[static_cast<std::size_t>(
            (std::min(py, in.height - 1) * in.width + std::min(px, in.width - 1)) * 3 + c)]);
      };
      for (int c = 0; c < 3; ++c) {
        const double top = at(x0, y0, c) + (at(x0 + 1, y0, c) - at(x0, y0, c)) * (fx - x0);
        const double bottom = at(x0, y0 + 1, c) + (at(x0 + 1, y0 + 1, c) - at(x0, y0 + 1, c)) * (fx - x0);
        out.data.push_back(static_cast<std::uint8_t>(top + (bottom - top) * (fy - y0) + 0.5));
      }
    }
  return out;
}

// Proof that the comparison can fail: each change below is one that a careless port would make.
TEST(GoldenResize, MutationsAreNoticed) {
  const Json all = golden();
  PreprocessScratch scratch;
  int swapped = 0;
  int other_filter = 0;
  int moved = 0;
  int not_antialiased = 0;
  int compared = 0;
  for (const Json& row : all["cases"]) {
    const Preset preset = preset_of(row["preset"]);
    // A downscaled picture of some size, where every mutation must show.
    if (row["width"].get<int>() < 100 || row["height"].get<int>() < 75 || preset.input_width > 48 ||
        preset.resize_size == 32 || preset.interpolation == Interpolation::nearest)
      continue;
    ++compared;
    const auto expected = row["tensor_crc"].get<std::uint32_t>();
    const auto differs = [&](const Preset& mutated) {
      const Result result = run(row, mutated, scratch);
      return crc(result.tensor.data(), result.tensor.size() * sizeof(float)) != expected;
    };
    Preset mutated = preset;
    mutated.channel_order = preset.channel_order == ChannelOrder::rgb ? ChannelOrder::bgr : ChannelOrder::rgb;
    swapped += differs(mutated) ? 1 : 0;
    mutated = preset;
    mutated.interpolation =
        preset.interpolation == Interpolation::bilinear ? Interpolation::hamming : Interpolation::bilinear;
    other_filter += differs(mutated) ? 1 : 0;
    // Resized without antialiasing, then cropped as it is.
    const image::Pixels whole =
        test::noise(row["seed"].get<std::uint32_t>(), row["width"].get<int>(), row["height"].get<int>());
    const Geometry geometry = resize_and_crop(whole, preset, scratch);
    const image::Pixels resized =
        without_antialias(whole, static_cast<int>(std::lround(geometry.scale_x * whole.width)),
                          static_cast<int>(std::lround(geometry.scale_y * whole.height)));
    mutated = preset;
    mutated.resize_mode = ResizeMode::shortest;
    mutated.crop_mode = CropMode::center;
    mutated.resize_size = std::min(resized.width, resized.height);
    std::vector<float> tensor(scratch.resized.size());
    preprocess(resized, mutated, scratch, tensor.data());
    not_antialiased +=
        crc(tensor.data(), tensor.size() * sizeof(float)) != expected && tensor.size() == scratch.resized.size() ? 1
                                                                                                                 : 0;
    mutated = preset;
    mutated.std[2] *= 1.0000002;
    moved += differs(mutated) ? 1 : 0;
  }
  ASSERT_GT(compared, 20);
  EXPECT_EQ(swapped, compared);
  EXPECT_EQ(other_filter, compared);
  EXPECT_EQ(not_antialiased, compared);
  EXPECT_EQ(moved, compared);
}

}  // namespace
}  // namespace ptrun
