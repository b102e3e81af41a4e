// The common kind of JPEG, decoded faster than libjpeg does and to the same bytes: baseline or extended sequential
// Huffman, 8 bits, one scan, grey or YCbCr with 4:4:4, 4:2:2 or 4:2:0, with or without restarts. Whatever else it may
// be and whatever is irregular in it is left to libjpeg, from the first byte of the scan on.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <string_view>
#include <vector>

// jpeglib.h needs size_t and FILE before it.
#include <jpeglib.h>

#include "image/image.h"
#include "image/jpeg_baseline/kernel.h"
#include "image/jpeg_baseline/scan.h"
#include "image/row_writer.h"

namespace ptrun::image {

// Keeps its buffers from image to image. One thread at a time.
class BaselineDecoder {
 public:
  // Of a file whose header libjpeg has read, `scan` being the bytes behind it: whether it is of that kind. All of them
  // must stay until decode(). The picture has 1 / `reduction` (1, 2, 4 or 8) of each side, rounded up.
  bool prepare(const jpeg_decompress_struct& info, std::string_view scan, int reduction, const JpegKernel& kernel);
  int width() const { return static_cast<int>(width_); }
  int height() const { return static_cast<int>(height_); }
  // The part `region` of it, which lies inside the picture. False: it is not regular, and the rows that were written
  // are void.
  bool decode(const Region& region, RowWriter& writer);

 private:
  struct Plane {
    std::uint8_t* first = nullptr;  // sample 0 of row 0; there is a row -1
    std::size_t stride = 0;
    std::size_t side = 8;     // samples of a block
    std::size_t columns = 1;  // blocks in an MCU
    std::size_t rows = 1;
    std::uint8_t* row(std::ptrdiff_t y) const { return first + y * static_cast<std::ptrdiff_t>(stride); }
  };
  // What of the picture is decoded.
  struct Part {
    std::size_t left = 0, right = 0, top = 0, bottom = 0;  // pixels
    std::size_t first_mcu = 0, end_mcu = 0;                // of a row
    std::size_t first_row = 0, end_row = 0;                // of MCUs
  };

  bool set_sampling(const jpeg_decompress_struct& info, std::size_t reduction);
  bool set_tables(const jpeg_decompress_struct& info);
  void set_part(const Region& region);
  bool read(std::size_t mcus, bool store);
  bool decode_row();
  void extend_edges();
  void write_rows(std::size_t mcu_row, RowWriter& writer);
  void keep_last_rows();

  const JpegKernel* kernel_ = nullptr;
  std::string_view scan_;
  Sampling sampling_ = Sampling::grey;
  std::size_t width_ = 0;  // pixels
  std::size_t height_ = 0;
  std::size_t across_ = 1;  // pixels of a chroma sample
  std::size_t down_ = 1;
  std::size_t mcu_width_ = 0;  // pixels
  std::size_t mcu_height_ = 0;
  std::size_t restart_interval_ = 0;  // MCUs; 0: none
  std::size_t until_restart_ = 0;
  ScanPlan plan_;
  std::array<HuffmanTable, NUM_HUFF_TBLS> dc_;
  std::array<HuffmanTable, NUM_HUFF_TBLS> ac_;
  std::array<Quantisation, kMaxComponents> quantisation_;
  ScanReader reader_;
  ScanGroup group_;
  Part part_;
  std::array<Plane, kMaxComponents> planes_;
  std::vector<std::uint8_t> samples_;
};

}  // namespace ptrun::image
