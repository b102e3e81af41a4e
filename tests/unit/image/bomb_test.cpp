// Small files that claim huge pictures or endless work: refused from the header, quickly and without memory.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>

#include <array>
#include <chrono>
#include <string>
#include <vector>

#include "image/image.h"
#include "ptrun/error.h"
#include "unit/image/test_files.h"

namespace ptrun {
namespace {

using ::testing::HasSubstr;

// Sanitizers slow everything down and keep freed memory.
#if defined(__SANITIZE_ADDRESS__)
constexpr bool kInstrumented = true;
#else
constexpr bool kInstrumented = false;
#endif

long peak_kib() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return usage.ru_maxrss;
}

std::string little(std::uint64_t value, int size) {
  std::string out;
  for (int i = 0; i < size; ++i) out += static_cast<char>(value >> (8 * i));
  return out;
}
std::string big(std::uint64_t value, int size) {
  std::string out = little(value, size);
  return {out.rbegin(), out.rend()};
}

// Decodes `bytes` and holds time and memory to the limits of reliability.md, item 14.
Error refused(const std::string& bytes) {
  image::Pixels pixels;
  const long before = peak_kib();
  const auto start = std::chrono::steady_clock::now();
  Error found(ErrorCode::internal, "", "no error");
  try {
    image::decode(bytes, "bomb", {}, pixels);
    ADD_FAILURE() << "accepted";
  } catch (const Error& error) {
    found = error;
  }
  const std::chrono::duration<double, std::milli> took = std::chrono::steady_clock::now() - start;
  EXPECT_LT(took.count(), kInstrumented ? 1000 : 50);
  if (!kInstrumented) {
    EXPECT_LT(peak_kib() - before, 32 * 1024);
  }
  return found;
}

std::string png_chunk(const std::string& name, const std::string& data) {
  const std::string body = name + data;
  return big(data.size(), 4) + body +
         big(crc32(0, reinterpret_cast<const Bytef*>(body.data()), static_cast<uInt>(body.size())), 4);
}

std::string png(std::uint32_t width, std::uint32_t height, const std::string& bits_and_color = "\x08\x02") {
  return "\x89PNG\r\n\x1A\n" +
         png_chunk("IHDR", big(width, 4) + big(height, 4) + bits_and_color + std::string("\0\0\0", 3)) +
         png_chunk("IDAT", std::string("\x78\x9C\x03\x00\x00\x00\x00\x01", 8)) + png_chunk("IEND", "");
}

TEST(Bomb, PngOf50000x50000) {
  const Error error = refused(png(50000, 50000));
  EXPECT_EQ(error.code(), ErrorCode::limit_exceeded);
  EXPECT_THAT(error.what(), HasSubstr("50000 x 50000 = 2500000000 pixels, expected at most 100000000"));
}

TEST(Bomb, PngWithOneEndlessSide) {
  EXPECT_EQ(refused(png(0x7FFFFFFF, 1)).code(), ErrorCode::limit_exceeded);
  EXPECT_EQ(refused(png(1, 0x7FFFFFFF)).code(), ErrorCode::limit_exceeded);
}

TEST(Bomb, GifOf65535x65535) {
  const std::string gif = "GIF89a" + little(65535, 2) + little(65535, 2) + std::string("\0\0\0", 3) + "," +
                          little(0, 4) + little(65535, 2) + little(65535, 2) + std::string("\0\x02\x01\x44\0;", 6);
  EXPECT_EQ(refused(gif).code(), ErrorCode::limit_exceeded);
}

TEST(Bomb, TiffOfHugeSidesAndTiles) {
  const auto entry = [](unsigned tag, unsigned type, std::uint64_t value) {
    return little(tag, 2) + little(type, 2) + little(1, 4) + little(value, 4);
  };
  const std::array<std::uint64_t, 3> sides = {0xFFFFFFF0, 60000, 0x10000};
  for (const std::uint64_t side : sides) {
    const bool tiled = side == 0x10000;  // a small picture in one huge tile
    std::string tiff = std::string("II*\0", 4) + little(8, 4);
    tiff += little(tiled ? 10 : 8, 2);
    tiff += entry(256, 4, tiled ? 100 : side) + entry(257, 4, tiled ? 100 : side) + entry(258, 3, 8) +
            entry(259, 3, 1) + entry(262, 3, 1);
    tiff += entry(277, 3, 1);
    if (tiled)
      tiff += entry(322, 4, side) + entry(323, 4, side) + entry(324, 4, 8) + entry(325, 4, 100);
    else
      tiff += entry(273, 4, 8) + entry(279, 4, 100);
    tiff += little(0, 4);
    const Error error = refused(tiff);
    // libtiff itself gives up on the largest one.
    if (side == 60000) {
      EXPECT_EQ(error.code(), ErrorCode::limit_exceeded) << error.what();
    }
  }
}

TEST(Bomb, WebpCanvasOf16383x16383) {
  const std::string body = "VP8X" + little(10, 4) + little(0, 4) + little(16382, 3) + little(16382, 3);
  EXPECT_EQ(refused("RIFF" + little(body.size() + 4, 4) + "WEBP" + body).code(), ErrorCode::limit_exceeded);
}

TEST(Bomb, BmpOf2000000000Pixels) {
  const std::string bmp = "BM" + little(70, 4) + little(0, 4) + little(54, 4) + little(40, 4) + little(50000, 4) +
                          little(50000, 4) + little(1, 2) + little(24, 2) + std::string(24, '\0');
  EXPECT_EQ(refused(bmp).code(), ErrorCode::limit_exceeded);
}

TEST(Bomb, BmpRunsOfNothing) {
  // The largest picture that is allowed, run-length coded in no bytes at all.
  const std::string bmp = "BM" + little(70, 4) + little(0, 4) + little(1078, 4) + little(40, 4) + little(10000, 4) +
                          little(10000, 4) + little(1, 2) + little(8, 2) + little(1, 4) + std::string(20, '\0') +
                          std::string(1024, '\0');
  EXPECT_EQ(refused(bmp).code(), ErrorCode::bad_image);
}

TEST(Bomb, JpegOf65500x65500) {
  std::string jpeg = test::read_data("derived/size_17x33.jpg");
  const std::size_t frame = jpeg.find("\xFF\xC0");
  ASSERT_NE(frame, std::string::npos);
  jpeg.replace(frame + 5, 4, "\xFF\xDC\xFF\xDC");
  EXPECT_EQ(refused(jpeg).code(), ErrorCode::limit_exceeded);
}

TEST(Bomb, ProgressiveJpegOf100000Scans) {
  const std::string jpeg = test::read_data("derived/progressive.jpg");
  ASSERT_GT(jpeg.size(), 2U);
  std::string bomb = jpeg.substr(0, jpeg.size() - 2);
  const std::string scan("\xFF\xDA\x00\x08\x01\x01\x00\x00\x00\x00", 10);
  for (int i = 0; i < 100000; ++i) bomb += scan;
  bomb += "\xFF\xD9";
  const Error error = refused(bomb);
  EXPECT_EQ(error.code(), ErrorCode::limit_exceeded);
  EXPECT_THAT(error.what(), HasSubstr("more than 500 scans"));
}

TEST(Bomb, ScansOfALargeJpegAreCountedByTheirPixels) {
  image::DecodeOptions options;
  options.limits.jpeg_scan_pixels = 1000;
  image::Pixels pixels;
  const std::string jpeg = test::read_data("derived/progressive.jpg");
  EXPECT_NO_THROW(image::decode(jpeg, "photo", {}, pixels));
  try {
    image::decode(jpeg, "photo", options, pixels);
    ADD_FAILURE() << "accepted";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::limit_exceeded);
  }
}

TEST(Bomb, PngTextOfAGigabyteIsLeftAlone) {
  // A compressed text that unpacks to far more than libpng may keep.
  std::string zeros(64 << 20, '\0');
  uLongf size = compressBound(static_cast<uLong>(zeros.size()));
  std::string packed(size, '\0');
  ASSERT_EQ(compress2(reinterpret_cast<Bytef*>(packed.data()), &size, reinterpret_cast<const Bytef*>(zeros.data()),
                      static_cast<uLong>(zeros.size()), 9),
            Z_OK);
  packed.resize(size);
  std::string bytes = test::read_data("derived/size_17x33.png");
  const image::Pixels plain = test::decode(bytes);
  const std::string text = png_chunk("zTXt", std::string("Raw profile type exif\0\0", 23) + packed);
  bytes.insert(33, text);  // behind IHDR
  const long before = peak_kib();
  EXPECT_EQ(test::crc(test::decode(bytes)), test::crc(plain));
  if (!kInstrumented) {
    EXPECT_LT(peak_kib() - before, 32 * 1024);
  }
}

}  // namespace
}  // namespace ptrun
