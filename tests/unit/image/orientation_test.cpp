#include "image/orientation.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace ptrun::image {
namespace {

// An EXIF block with one entry.
std::string block(bool little_endian, unsigned type, unsigned count, unsigned value, unsigned tag = 274) {
  std::string out = little_endian ? "II" : "MM";
  const auto integer = [&](unsigned v, unsigned size) {
    for (unsigned i = 0; i < size; ++i) out += static_cast<char>(v >> 8U * (little_endian ? i : size - 1 - i));
  };
  integer(42, 2);
  integer(8, 4);
  integer(1, 2);
  integer(tag, 2);
  integer(type, 2);
  integer(count, 4);
  const unsigned size = type == 3 ? 2 : 4;
  integer(value, size);
  if (size == 2) integer(0, 2);
  integer(0, 4);
  return out;
}

TEST(Orientation, BothByteOrdersAndIntegerTypes) {
  for (const bool little_endian : {true, false})
    for (const unsigned type : {3U, 4U})
      for (unsigned value = 1; value <= 8; ++value)
        EXPECT_EQ(exif_orientation(block(little_endian, type, 1, value)), static_cast<int>(value));
  EXPECT_EQ(exif_orientation(std::string("Exif\0\0", 6) + block(true, 3, 1, 6)), 6);
}

TEST(Orientation, WhatMeansNothingLeavesThePictureAsStored) {
  EXPECT_EQ(exif_orientation(block(true, 3, 1, 0)), 1);
  EXPECT_EQ(exif_orientation(block(true, 3, 1, 9)), 1);
  EXPECT_EQ(exif_orientation(block(true, 3, 2, 6)), 1);  // two values
  EXPECT_EQ(exif_orientation(block(true, 2, 1, 6)), 1);  // text
  EXPECT_EQ(exif_orientation(block(true, 3, 1, 6, 275)), 0);
}

TEST(Orientation, DamagedBlocksAreIgnored) {
  const std::string good = block(true, 3, 1, 6);
  for (std::size_t size = 0; size < good.size(); ++size) {
    const int found = exif_orientation(std::string_view(good).substr(0, size));
    EXPECT_TRUE(found == 0 || found == 6) << size;
  }
  std::string bad = good;
  bad[4] = '\xFF';
  bad[5] = '\xFF';
  bad[6] = '\xFF';
  bad[7] = '\xFF';
  EXPECT_EQ(exif_orientation(bad), 0);
  bad = good;
  bad[8] = '\xFF';
  bad[9] = '\xFF';
  EXPECT_EQ(exif_orientation(bad), 6);  // more entries claimed than there are bytes
  EXPECT_EQ(exif_orientation("XX*\0aaaaaaaaaaaaaaaa"), 0);
}

TEST(Orientation, XmpCountsWhereExifIsSilent) {
  EXPECT_EQ(xmp_orientation("<rdf tiff:Orientation=\"6\"/>"), 6);
  EXPECT_EQ(xmp_orientation("<tiff:Orientation>8</tiff:Orientation>"), 8);
  EXPECT_EQ(xmp_orientation("<tiff:Orientation/>"), 0);
  EXPECT_EQ(xmp_orientation("tiff:Orientation"), 0);
  EXPECT_EQ(find_orientation(block(true, 3, 1, 3), "tiff:Orientation=\"6\""), 3);
  EXPECT_EQ(find_orientation("", "tiff:Orientation=\"6\""), 6);
  EXPECT_EQ(find_orientation("", ""), 1);
}

// A 3 x 2 picture with the pixels 0..5 (red), turned as ImageOps.exif_transpose does.
TEST(Orientation, EveryTurn) {
  struct Turn {
    int orientation;
    int width;
    std::vector<int> pixels;
  };
  const std::vector<Turn> turns = {
      {1, 3, {0, 1, 2, 3, 4, 5}}, {2, 3, {2, 1, 0, 5, 4, 3}}, {3, 3, {5, 4, 3, 2, 1, 0}}, {4, 3, {3, 4, 5, 0, 1, 2}},
      {5, 2, {0, 3, 1, 4, 2, 5}}, {6, 2, {3, 0, 4, 1, 5, 2}}, {7, 2, {5, 2, 4, 1, 3, 0}}, {8, 2, {2, 5, 1, 4, 0, 3}},
  };
  for (const Turn& turn : turns) {
    Pixels pixels;
    pixels.width = 3;
    pixels.height = 2;
    for (std::uint8_t i = 0; i < 6; ++i) pixels.data.insert(pixels.data.end(), {i, 10, 20});
    turn_upright(turn.orientation, pixels);
    EXPECT_EQ(pixels.width, turn.width) << turn.orientation;
    EXPECT_EQ(pixels.height, 6 / turn.width) << turn.orientation;
    for (std::size_t i = 0; i < 6; ++i) {
      EXPECT_EQ(pixels.data[i * 3], turn.pixels[i]) << turn.orientation << " " << i;
      EXPECT_EQ(pixels.data[i * 3 + 2], 20);
    }
  }
}

}  // namespace
}  // namespace ptrun::image
