// JPEGs as libjpeg's compressor makes them, from seeded pictures.
#pragma once

#include <jpeglib.h>

#include <array>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

namespace ptrun::test {

enum class Texture { smooth, noise, edges, black_and_white };

struct MadeJpeg {
  int width = 64;
  int height = 48;
  int components = 3;  // 1: grey
  int across = 2;      // pixels of a chroma sample
  int down = 2;
  int quality = 85;
  int restart = 0;  // MCUs
  bool optimise = false;
  bool progressive = false;
  bool arithmetic = false;
  bool separate_scans = false;
  bool large_steps = false;  // 16-bit quantisation tables where the quality asks for them
  bool rgb = false;          // stored as it is
  Texture texture = Texture::smooth;
  std::uint32_t seed = 1;
};

inline std::vector<std::uint8_t> made_pixels(const MadeJpeg& made) {
  std::vector<std::uint8_t> pixels;
  std::uint32_t state = made.seed;
  const auto random = [&] {
    state = state * 1664525U + 1013904223U;
    return static_cast<int>(state >> 24U);
  };
  for (int y = 0; y < made.height; ++y)
    for (int x = 0; x < made.width; ++x)
      for (int c = 0; c < made.components; ++c) {
        int value = 0;
        switch (made.texture) {
          case Texture::smooth: value = (x * (3 + c) + y * (5 - c)) % 256 / 2 + random() / 16 + 30 * c; break;
          case Texture::noise: value = random(); break;
          case Texture::edges: value = (x / 5 + y / 3 + c) % 3 == 0 ? 250 - random() / 32 : random() / 8; break;
          case Texture::black_and_white: value = random() > 127 ? 255 : 0; break;
        }
        pixels.push_back(static_cast<std::uint8_t>(value));
      }
  return pixels;
}

inline std::string make_jpeg(const MadeJpeg& made) {
  std::vector<std::uint8_t> pixels = made_pixels(made);
  jpeg_compress_struct info{};
  jpeg_error_mgr errors{};
  info.err = jpeg_std_error(&errors);           // ends the program
  errors.output_message = [](j_common_ptr) {};  // coarse tables are asked for
  jpeg_create_compress(&info);
  unsigned char* bytes = nullptr;
  unsigned long size = 0;
  jpeg_mem_dest(&info, &bytes, &size);
  info.image_width = static_cast<JDIMENSION>(made.width);
  info.image_height = static_cast<JDIMENSION>(made.height);
  info.input_components = made.components;
  info.in_color_space = made.components == 1 ? JCS_GRAYSCALE : JCS_RGB;
  jpeg_set_defaults(&info);
  if (made.rgb) jpeg_set_colorspace(&info, JCS_RGB);
  jpeg_set_quality(&info, made.quality, made.large_steps ? FALSE : TRUE);
  info.comp_info[0].h_samp_factor = made.components == 1 ? 1 : made.across;
  info.comp_info[0].v_samp_factor = made.components == 1 ? 1 : made.down;
  info.restart_interval = static_cast<unsigned>(made.restart);
  info.optimize_coding = made.optimise ? TRUE : FALSE;
  info.arith_code = made.arithmetic ? TRUE : FALSE;
  std::array<jpeg_scan_info, 3> scans{};
  if (made.progressive) jpeg_simple_progression(&info);
  if (made.separate_scans) {
    for (int i = 0; i < 3; ++i) {
      scans.at(static_cast<std::size_t>(i)).comps_in_scan = 1;
      scans.at(static_cast<std::size_t>(i)).component_index[0] = i;
      scans.at(static_cast<std::size_t>(i)).Se = DCTSIZE2 - 1;
    }
    info.scan_info = scans.data();
    info.num_scans = 3;
  }
  jpeg_start_compress(&info, TRUE);
  const std::size_t stride = static_cast<std::size_t>(made.width) * static_cast<std::size_t>(made.components);
  for (std::size_t y = 0; y < static_cast<std::size_t>(made.height); ++y) {
    JSAMPROW row = pixels.data() + y * stride;
    jpeg_write_scanlines(&info, &row, 1);
  }
  jpeg_finish_compress(&info);
  std::string file(reinterpret_cast<const char*>(bytes), size);
  jpeg_destroy_compress(&info);
  std::free(bytes);
  return file;
}

}  // namespace ptrun::test
