// Every file of tests/data/photos and derived against Pillow's bytes (tests/data/golden/pixels.json).
#include <gtest/gtest.h>

#include <cstring>
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

TEST(GoldenPixels, ReducedJpegsEqualPillowsDrafts) {
  const Json all = golden();
  std::size_t compared = 0;
  for (const Json& row : all["files"]) {
    if (!row.contains("drafts")) continue;
    const std::string path = row["path"];
    const std::string bytes = test::read_data(path);
    for (const int by : {2, 4, 8}) {
      image::DecodeOptions options;
      options.exif = ExifRule::ignore;
      options.reduction = [&](int width, int height) {
        EXPECT_EQ(width, row["stored"]["width"].get<int>()) << path;
        EXPECT_EQ(height, row["stored"]["height"].get<int>()) << path;
        return by;
      };
      image::Pixels pixels;
      image::decode(bytes, path, options, pixels);
      expect_equal(pixels, row, row["drafts"][std::to_string(by)]);
      EXPECT_EQ(pixels.reduced, by);
      EXPECT_EQ(pixels.full_width, row["stored"]["width"].get<int>()) << path;

      // Rows that are taken while it is decoded, and only those of a part, are the same ones.
      const image::Pixels whole = pixels;
      options.region = [](int width, int height) {
        return image::Region{width / 4, height / 4, width / 3 + 1, height / 3 + 1};
      };
      image::decode(bytes, path, options, pixels);
      for (int y = whole.height / 4; y < whole.height / 4 + whole.height / 3 + 1; ++y) {
        const auto at = (static_cast<std::size_t>(y) * static_cast<std::size_t>(whole.width) +
                         static_cast<std::size_t>(whole.width / 4)) *
                        3;
        ASSERT_EQ(std::memcmp(pixels.data.data() + at, whole.data.data() + at,
                              static_cast<std::size_t>(whole.width / 3 + 1) * 3),
                  0)
            << path << " row " << y;
      }
      ++compared;
    }
  }
  EXPECT_GE(compared, 60U);
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
