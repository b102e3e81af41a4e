#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "image/image.h"
#include "ptrun/error.h"
#include "unit/image/test_files.h"

namespace ptrun {
namespace {

using ::testing::HasSubstr;

Error error_of(std::string_view bytes, image::DecodeOptions options = {}) {
  image::Pixels pixels;
  try {
    image::decode(bytes, "photo", options, pixels);
  } catch (const Error& error) {
    EXPECT_EQ(pixels.width, 0);
    EXPECT_TRUE(pixels.data.empty());
    return error;
  }
  ADD_FAILURE() << "no error";
  return Error(ErrorCode::internal, "", "");
}

TEST(Decode, TypesThatAreNotReadAreNamed) {
  struct Case {
    std::string bytes;
    const char* name;
  };
  const std::vector<Case> cases = {
      {"", "empty"},
      {std::string("\0\0\0\x18"
                   "ftypheic\0\0\0\0",
                   16),
       "HEIC"},
      {std::string("\0\0\0\x18"
                   "ftypavif\0\0\0\0",
                   16),
       "AVIF"},
      {std::string("\0\0\0\x18"
                   "ftypisom\0\0\0\0",
                   16),
       "video"},
      {"\xFF\x0A\x10\x20", "JPEG XL"},
      {std::string("\0\0\0\x0CjP  \r\n\x87\n", 12), "JPEG 2000"},
      {"%PDF-1.7\n", "PDF"},
      {"\xEF\xBB\xBF <?xml version=\"1.0\"?>\n<svg xmlns=\"http://www.w3.org/2000/svg\">", "SVG"},
      {"\n<!DOCTYPE html><title>404</title>", "web page"},
      {"<HTML><body>", "web page"},
      {"<?xml version=\"1.0\"?><note/>", "XML"},
      {"version https://git-lfs.github.com/spec/v1\noid sha256:0", "git lfs pull"},
      {"PK\x03\x04", "zip"},
      {"hello, world", "no image"},
      {"RIFF\x10\0\0\0WAVEfmt ", "RIFF"},
  };
  for (const Case& row : cases) {
    const Error error = error_of(row.bytes);
    EXPECT_EQ(error.code(), ErrorCode::bad_image);
    EXPECT_THAT(error.what(), HasSubstr(std::string("photo: "))) << row.name;
    EXPECT_THAT(error.what(), HasSubstr(row.name));
    if (!row.bytes.empty()) {
      EXPECT_THAT(error.what(), HasSubstr("JPEG, PNG, WebP, TIFF, GIF, BMP"));
    }
  }
}

TEST(Decode, ContentCountsNotTheName) {
  const image::Pixels pixels = test::decode(test::read_data("derived/png_named.jpg"));
  EXPECT_GT(pixels.width, 0);
}

TEST(Decode, ATruncatedFileIsAnErrorThatSaysWhere) {
  const std::string jpeg = test::read_data("photos/cat.jpg");
  const image::Pixels whole = test::decode(jpeg);
  const Error error = error_of(std::string_view(jpeg).substr(0, jpeg.size() / 2));
  EXPECT_EQ(error.code(), ErrorCode::bad_image);
  EXPECT_THAT(error.what(), HasSubstr("photo: JPEG data ends at row "));
  EXPECT_THAT(error.what(), HasSubstr(" of " + std::to_string(whole.height) + "; the file is truncated"));
  const std::string progressive = test::read_data("derived/progressive.jpg");
  EXPECT_THAT(error_of(std::string_view(progressive).substr(0, progressive.size() / 2)).what(), HasSubstr("in scan "));
  const std::string png = test::read_data("derived/size_223x225.png");
  EXPECT_THAT(error_of(std::string_view(png).substr(0, png.size() / 2)).what(), HasSubstr("PNG data ends at row "));
  for (const char* name : {"lossy.webp", "rgb_lzw.tif", "palette.gif", "rgb.bmp"}) {
    const std::string bytes = test::read_data(std::string("derived/") + name);
    EXPECT_THAT(error_of(std::string_view(bytes).substr(0, bytes.size() / 2)).what(),
                ::testing::AnyOf(HasSubstr("ends"), HasSubstr("cut off")))
        << name;
  }
}

TEST(Decode, LimitsHoldForEveryCodec) {
  for (const char* name : {"photos/cat.jpg", "derived/grey.png", "derived/lossy.webp", "derived/grey.tif",
                           "derived/palette.gif", "derived/rgb.bmp"}) {
    const std::string bytes = test::read_data(name);
    const image::Pixels whole = test::decode(bytes);
    const auto pixels = static_cast<std::uint64_t>(whole.width) * static_cast<std::uint64_t>(whole.height);
    image::DecodeOptions options;
    options.limits.pixels = pixels;
    EXPECT_NO_THROW(test::decode(bytes, options)) << name;
    options.limits.pixels = pixels - 1;
    const Error error = error_of(bytes, options);
    EXPECT_EQ(error.code(), ErrorCode::limit_exceeded) << name;
    EXPECT_THAT(error.what(), HasSubstr(std::to_string(pixels) + " pixels, expected at most "));
    options = {};
    options.limits.side = std::max(whole.width, whole.height) - 1;
    EXPECT_EQ(error_of(bytes, options).code(), ErrorCode::limit_exceeded) << name;
  }
}

TEST(Decode, ATiffIsUprightWhateverTheRule) {
  image::DecodeOptions ignore;
  ignore.exif = ExifRule::ignore;
  const std::string tiff = test::read_data("derived/exif_6.tif");
  const image::Pixels upright = test::decode(tiff);
  EXPECT_EQ(upright.exif_orientation, 6);
  EXPECT_EQ(test::crc(upright), test::crc(test::decode(tiff, ignore)));
  const std::string jpeg = test::read_data("derived/exif_6.jpg");
  EXPECT_EQ(test::decode(jpeg).width, test::decode(jpeg, ignore).height);
}

TEST(Decode, OneBufferServesImageAfterImage) {
  const std::string big = test::read_data("photos/cat.jpg");
  const std::string small = test::read_data("derived/size_17x33.png");
  image::Pixels pixels;
  image::decode(big, "big", {}, pixels);
  const std::uint32_t expected = test::crc(pixels);
  const std::uint8_t* buffer = pixels.data.data();
  for (int i = 0; i < 3; ++i) {
    image::decode(small, "small", {}, pixels);
    EXPECT_EQ(pixels.data.size(), 17U * 33U * 3U);
    image::decode(big, "big", {}, pixels);
    EXPECT_EQ(test::crc(pixels), expected);
    EXPECT_EQ(pixels.data.data(), buffer);
  }
}

// `jpeg` without its quantisation (DB) or Huffman tables (C4).
std::string without_tables(const std::string& jpeg, unsigned char marker) {
  std::string out = jpeg.substr(0, 2);
  for (std::size_t at = 2; at + 4 <= jpeg.size();) {
    const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(jpeg[at + i]); };
    if (byte(1) == 0xDA) return out + jpeg.substr(at);
    const std::size_t size = 2 + (std::size_t{byte(2)} << 8U) + byte(3);
    if (byte(1) != marker) out += jpeg.substr(at, size);
    at += size;
  }
  return out;
}

// The decompressor is kept from image to image, and nothing of an image is.
TEST(Decode, AJpegGetsNothingOfTheOneBefore) {
  const std::string good = test::read_data("photos/cat.jpg");
  const std::uint32_t expected = test::crc(test::decode(good));
  const auto outcome = [](const std::string& bytes, image::Pixels& pixels) -> std::string {
    try {
      image::decode(bytes, "test", {}, pixels);
      return std::to_string(test::crc(pixels));
    } catch (const Error& error) {
      return error.what();
    }
  };
  image::Pixels kept;
  EXPECT_EQ(outcome(good, kept), std::to_string(expected));
  for (const std::string& other :
       {without_tables(good, 0xDB), without_tables(good, 0xC4), good.substr(0, good.size() / 2), good.substr(0, 100),
        test::read_data("derived/progressive.jpg"), test::read_data("derived/cmyk_adobe.jpg"),
        test::read_data("derived/grey.jpg"), test::read_data("derived/exif_6.jpg")}) {
    image::Pixels fresh;
    ASSERT_NE(other, good);
    const std::string alone = outcome(other, fresh);
    EXPECT_EQ(outcome(other, kept), alone);
    EXPECT_EQ(kept.exif_orientation, fresh.exif_orientation);
    EXPECT_EQ(outcome(good, kept), std::to_string(expected)) << "after: " << alone;
    EXPECT_EQ(kept.exif_orientation, 1);
  }
}

TEST(Decode, KnownExtensionsAreLowerCaseWithTheDot) {
  const auto extensions = image::known_extensions();
  EXPECT_THAT(extensions, ::testing::Contains(".jpeg"));
  EXPECT_THAT(extensions, ::testing::Contains(".tif"));
  for (const std::string_view extension : extensions) EXPECT_EQ(extension.front(), '.');
}

}  // namespace
}  // namespace ptrun
