// libjpeg's decompressor, kept from image to image without a word of the heap.
#pragma once

#include <array>
#include <csetjmp>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

// jpeglib.h needs size_t and FILE before it.
#include <jpeglib.h>

namespace ptrun::image {

// Memory that is given back all at once and kept for the next image.
class JpegMemory {
 public:
  // Aligned to 64 bytes, as libjpeg's vector code needs rows; null when there is none.
  void* take(std::size_t bytes) noexcept;
  void give_back() noexcept;

 private:
  struct Free {
    void operator()(std::byte* block) const noexcept;
  };
  struct Block {
    std::unique_ptr<std::byte, Free> bytes;
    std::size_t size = 0;
  };
  bool add_block(std::size_t size) noexcept;

  std::vector<Block> blocks_;  // the last one is in use
  std::size_t used_ = 0;       // of the last one
};

// One decompression after the other. libjpeg reports errors by calling error_exit, which must not return: it jumps back
// into the method of this class that called the library. No object with a destructor lives between the two.
class JpegReader {
 public:
  JpegReader();
  ~JpegReader();
  JpegReader(const JpegReader&) = delete;
  JpegReader& operator=(const JpegReader&) = delete;

  enum class Result { done, suspended, failed };

  // Leaves the image before, and reads `bytes`, which must stay, up to the first scan; nothing is allocated for the
  // picture yet.
  Result read_header(std::string_view bytes);
  // For a progressive file: decodes the coefficients of all scans. The picture has 1 / `reduction` of each side.
  Result start(int max_scans, int reduction);
  // Decodes the next rows into `rows`, where at least one of `count` fits; row() tells how far it came.
  Result read_rows(std::uint8_t** rows, unsigned count);
  // Before the first row: decodes only the columns [left, left + width) from now on, or more of them: `left` and
  // `width` become those that rows hold.
  Result crop_columns(unsigned& left, unsigned& width);
  Result skip_rows(unsigned count);

  const jpeg_decompress_struct& info() const { return info_; }
  int row() const { return static_cast<int>(info_.output_scanline); }
  std::string message() const { return message_.data(); }
  bool out_of_memory() const;
  bool multiple_scans() { return jpeg_has_multiple_scans(&info_) != FALSE; }

  // The bytes after the header of the first scan.
  std::string_view rest() const {
    return {reinterpret_cast<const char*>(source_.next_input_byte), source_.bytes_in_buffer};
  }

 private:
  using Message = std::array<char, JMSG_LENGTH_MAX>;
  static JpegReader& of(j_common_ptr info) { return *static_cast<JpegReader*>(info->client_data); }
  static void* take(j_common_ptr info, int pool, std::size_t bytes);
  void use_own_memory();

  jpeg_decompress_struct info_{};
  jpeg_error_mgr errors_{};
  jpeg_source_mgr source_{};
  jpeg_progress_mgr progress_{};
  std::jmp_buf jump_{};
  Message message_{};
  int max_scans_ = 0;
  bool created_ = false;
  JpegMemory memory_;
  void (*free_pool_)(j_common_ptr info, int pool) = nullptr;  // the library's
};

}  // namespace ptrun::image
