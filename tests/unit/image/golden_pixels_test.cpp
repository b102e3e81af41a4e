// Every file of tests/data/photos and derived against Pillow's bytes (tests/data/golden/pixels.json).
#include <gtest/gtest.h>

#include <filesystem>
#include <nlohmann/json.hpp>
#include <set>
#include <string>

#include "ptrun/error.h"
#include "unit/image/test_files.h"

namespace ptrun {
namespace {

using Json = nlohmann::json;

Json golden() { return Json::parse(test::read_data("golden/pixels.json")); }

void expect_equal(const image::Pixels& pixels, const Json& row, const Json& expected) {
  EXPECT_EQ(pixels.width, expected["width"].get<int>()) << row["path"];
  EXPECT_EQ(pixels.height, expected["height"].get<int>()) << row["path"];
  EXPECT_EQ(test::crc(pixels), expected["crc"].get<std::uint32_t>()) << row["path"];
}

TEST(GoldenPixels, EveryFileEqualsPillow) {
  const Json all = golden();
  ASSERT_GT(all["files"].size(), 70U);
  image::Pixels pixels;  // one for all, as a worker has it
  for (const Json& row : all["files"]) {
    const std::string path = row["path"];
    const std::string bytes = test::read_data(path);
    ASSERT_FALSE(bytes.empty()) << path;
    if (row.contains("error")) {
      EXPECT_THROW(image::decode(bytes, path, {}, pixels), Error) << path;
      continue;
    }
    image::decode(bytes, path, {}, pixels);
    EXPECT_EQ(pixels.mode, row["mode"].get<std::string>()) << path;
    expect_equal(pixels, row, row["upright"]);
    image::DecodeOptions options;
    options.exif = ExifRule::ignore;
    image::decode(bytes, path, options, pixels);
    expect_equal(pixels, row, row["stored"]);
  }
}

TEST(GoldenPixels, NoFileIsForgotten) {
  std::set<std::string> listed;
  const Json all = golden();
  for (const Json& row : all["files"]) listed.insert(row["path"].get<std::string>());
  std::size_t found = 0;
  for (const char* folder : {"photos", "derived"})
    for (const auto& entry : std::filesystem::directory_iterator(std::string(PTRUN_TEST_DATA) + "/" + folder)) {
      if (entry.path().extension() == ".md") continue;
      ++found;
      const std::string path = std::string(folder) + "/" + entry.path().filename().string();
      EXPECT_EQ(listed.count(path), 1U) << path << " is missing: run scripts/fixtures/make_golden_pixels.py";
    }
  EXPECT_EQ(found, listed.size());
}

// Proof that the comparison can fail.
TEST(GoldenPixels, SwappedChannelsAndTurnsAreNoticed) {
  int files = 0;
  int swapped = 0;
  int unturned = 0;
  int turned_files = 0;
  const Json all = golden();
  for (const Json& row : all["files"]) {
    if (row.contains("error") || row["upright"]["width"].get<int>() < 17) continue;
    image::Pixels pixels = test::decode(test::read_data(row["path"]));
    if (pixels.exif_orientation != 1 && pixels.mode == "RGB") {
      ++turned_files;
      if (row["stored"]["crc"] != row["upright"]["crc"]) ++unturned;
    }
    if (pixels.mode != "RGB" && pixels.mode != "CMYK") continue;
    ++files;
    for (std::size_t i = 0; i + 2 < pixels.data.size(); i += 3) std::swap(pixels.data[i], pixels.data[i + 2]);
    if (test::crc(pixels) != row["upright"]["crc"].get<std::uint32_t>()) ++swapped;
  }
  EXPECT_GT(files, 20);
  EXPECT_EQ(swapped, files);
  EXPECT_GE(turned_files, 7);
  EXPECT_GE(unturned, 7);
}

}  // namespace
}  // namespace ptrun
