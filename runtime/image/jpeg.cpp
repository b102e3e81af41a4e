// JPEG by libjpeg-turbo with the settings of Pillow's JpegImagePlugin and JpegDecode.c: defaults of the library,
// JCS_RGB (CMYK: inverted, as Adobe writes it), a source that suspends at the end of the bytes instead of inventing
// an end marker, so that a truncated file is an error.
#include <algorithm>
#include <array>
#include <csetjmp>
#include <cstdio>
#include <cstring>
#include <new>
#include <string>

// jpeglib.h needs size_t and FILE before it.
#include <jerror.h>
#include <jpeglib.h>

#include "image/codec.h"
#include "image/orientation.h"
#include "ptrun/error.h"

namespace ptrun::image {
namespace {

constexpr int kApp1 = JPEG_APP0 + 1;

// One decompression. libjpeg reports errors by calling error_exit, which must not return: it jumps back into the
// method of this class that called the library. No object with a destructor lives between the two.
class JpegReader {
 public:
  explicit JpegReader(std::string_view bytes) {
    info_.err = jpeg_std_error(&errors_);
    errors_.error_exit = [](j_common_ptr info) {
      auto* self = static_cast<JpegReader*>(info->client_data);
      errors_text(info, self->message_);
      std::longjmp(self->jump_, 1);  // NOLINT: the library's way out
    };
    errors_.output_message = [](j_common_ptr) {};  // warnings are no errors, and nothing is printed
    info_.client_data = this;

    source_.init_source = [](j_decompress_ptr) {};
    source_.term_source = [](j_decompress_ptr) {};
    source_.fill_input_buffer = [](j_decompress_ptr) -> boolean { return FALSE; };
    source_.resync_to_restart = jpeg_resync_to_restart;
    source_.skip_input_data = [](j_decompress_ptr info, long count) {
      if (count <= 0) return;
      const auto skipped = std::min(static_cast<std::size_t>(count), info->src->bytes_in_buffer);
      info->src->next_input_byte += skipped;
      info->src->bytes_in_buffer -= skipped;
    };
    source_.next_input_byte = reinterpret_cast<const JOCTET*>(bytes.data());
    source_.bytes_in_buffer = bytes.size();
  }
  ~JpegReader() {
    if (created_) jpeg_destroy_decompress(&info_);
  }
  JpegReader(const JpegReader&) = delete;
  JpegReader& operator=(const JpegReader&) = delete;

  enum class Result { done, suspended, failed };

  // Reads up to the first scan; nothing is allocated for the picture yet.
  Result read_header() {
    if (setjmp(jump_) != 0) return Result::failed;  // NOLINT: see the class
    created_ = true;                                // from here on there may be something to free
    jpeg_create_decompress(&info_);
    info_.client_data = this;
    info_.src = &source_;
    jpeg_save_markers(&info_, kApp1, 0xFFFF);
    int state = JPEG_HEADER_TABLES_ONLY;
    while (state == JPEG_HEADER_TABLES_ONLY) state = jpeg_read_header(&info_, FALSE);
    return state == JPEG_SUSPENDED ? Result::suspended : Result::done;
  }

  // For a progressive file: decodes the coefficients of all scans.
  Result start(int max_scans) {
    if (setjmp(jump_) != 0) return Result::failed;  // NOLINT: see the class
    max_scans_ = max_scans;
    progress_.progress_monitor = [](j_common_ptr info) {
      const auto* self = static_cast<JpegReader*>(info->client_data);
      if (self->info_.input_scan_number > self->max_scans_) ERREXIT(info, JERR_TOO_LITTLE_DATA);
    };
    info_.progress = &progress_;
    info_.out_color_space = info_.num_components == 4 ? JCS_CMYK : JCS_RGB;
    return jpeg_start_decompress(&info_) != FALSE ? Result::done : Result::suspended;
  }

  // Decodes the next rows into `rows`, where at least one of `count` fits; row() tells how far it came.
  Result read_rows(std::uint8_t** rows, unsigned count) {
    if (setjmp(jump_) != 0) return Result::failed;  // NOLINT: see the class
    return jpeg_read_scanlines(&info_, rows, count) > 0 ? Result::done : Result::suspended;
  }

  // Before the first row: decodes only the columns [left, left + width) from now on, or more of them: `left` and
  // `width` become those that rows hold.
  Result crop_columns(unsigned& left, unsigned& width) {
    if (setjmp(jump_) != 0) return Result::failed;  // NOLINT: see the class
    jpeg_crop_scanline(&info_, &left, &width);
    return Result::done;
  }

  Result skip_rows(unsigned count) {
    if (setjmp(jump_) != 0) return Result::failed;  // NOLINT: see the class
    return jpeg_skip_scanlines(&info_, count) == count ? Result::done : Result::suspended;
  }

  const jpeg_decompress_struct& info() const { return info_; }
  int row() const { return static_cast<int>(info_.output_scanline); }
  std::string message() const { return message_.data(); }
  bool out_of_memory() const { return errors_.msg_code == JERR_OUT_OF_MEMORY; }
  bool multiple_scans() { return jpeg_has_multiple_scans(&info_) != FALSE; }

  // The bytes after the header of the first scan.
  std::string_view rest() const {
    return {reinterpret_cast<const char*>(source_.next_input_byte), source_.bytes_in_buffer};
  }

 private:
  using Message = std::array<char, JMSG_LENGTH_MAX>;
  static void errors_text(j_common_ptr info, Message& message) { (*info->err->format_message)(info, message.data()); }

  jpeg_decompress_struct info_{};
  jpeg_error_mgr errors_{};
  jpeg_source_mgr source_{};
  jpeg_progress_mgr progress_{};
  std::jmp_buf jump_{};
  Message message_{};
  int max_scans_ = 0;
  bool created_ = false;
};

// Scans that follow the first one: a walk over the markers, which cost nothing to decode.
int count_scans(std::string_view rest, int limit) {
  int scans = 1;
  std::size_t at = 0;
  while (scans <= limit) {
    at = rest.find('\xFF', at);
    if (at == std::string_view::npos || at + 1 >= rest.size()) break;
    const auto marker = static_cast<unsigned char>(rest[at + 1]);
    if (marker == 0xD9) break;
    if (marker == 0xFF) {  // fill byte
      at += 1;
      continue;
    }
    at += 2;
    if (marker == 0xDA) ++scans;
    // 00 is a stuffed byte, D0 to D7 restarts, 01 and D8 stand alone; all others carry a length.
    if (marker <= 1 || (marker >= 0xD0 && marker <= 0xD8)) continue;
    if (at + 2 > rest.size()) break;
    at +=
        static_cast<std::size_t>(static_cast<unsigned char>(rest[at])) << 8U | static_cast<unsigned char>(rest[at + 1]);
  }
  return scans;
}

int orientation_of(const jpeg_decompress_struct& info) {
  constexpr std::string_view kExif("Exif\0\0", 6);
  constexpr std::string_view kXmp("http://ns.adobe.com/xap/1.0/\0", 29);
  std::string exif;
  std::string_view xmp;
  for (const jpeg_marker_struct* marker = info.marker_list; marker != nullptr; marker = marker->next) {
    const std::string_view data(reinterpret_cast<const char*>(marker->data), marker->data_length);
    if (data.substr(0, kExif.size()) == kExif)
      exif += exif.empty() ? data : data.substr(kExif.size());  // a long block is continued in the next segment
    else if (data.substr(0, kXmp.size()) == kXmp)
      xmp = data.substr(kXmp.size());
  }
  return find_orientation(exif, xmp);
}

void check_scans(JpegReader& reader, const DecodeLimits& limits) {
  if (!reader.multiple_scans()) return;
  const std::uint64_t pixels = std::uint64_t{reader.info().image_width} * reader.info().image_height;
  const auto by_work = static_cast<int>(std::min<std::uint64_t>(limits.jpeg_scan_pixels / pixels, 1 << 30));
  const int limit = std::max(1, std::min(limits.jpeg_scans, by_work));
  if (count_scans(reader.rest(), limit) <= limit) return;
  throw Error(ErrorCode::limit_exceeded, "",
              "the JPEG has more than " + std::to_string(limit) + " scans of " +
                  size_text(reader.info().image_width, reader.info().image_height) +
                  " pixels, expected about 10; it would take very long to decode");
}

[[noreturn]] void fail_at(const JpegReader& reader, JpegReader::Result result) {
  if (result == JpegReader::Result::failed && reader.out_of_memory()) throw std::bad_alloc();
  if (result == JpegReader::Result::failed) fail("the JPEG data is damaged: " + reader.message());
  const auto& info = reader.info();
  if (info.image_height == 0 || info.image_width == 0) fail("JPEG data ends within the header; the file is truncated");
  if (info.output_scanline == 0 && info.input_scan_number > 0 && info.progressive_mode != FALSE)
    fail("JPEG data ends in scan " + std::to_string(info.input_scan_number) +
         ", before the end of the picture; the file is truncated");
  fail("JPEG data ends at row " + std::to_string(reader.row()) + " of " + std::to_string(info.image_height) +
       "; the file is truncated");
}

// Rows up to `end`, which hold the columns from `left` on.
struct Part {
  unsigned left = 0;
  unsigned end = 0;
};

// Leaves out what the caller does not read, where that changes neither a pixel nor an error: one scan, no turn, and an
// end marker, before which libjpeg never runs out of bytes.
Part start_part(JpegReader& reader, const DecodeOptions& options, int orientation) {
  using Result = JpegReader::Result;
  const jpeg_decompress_struct& info = reader.info();
  const Part whole = {0, info.image_height};
  const bool turned = options.exif == ExifRule::apply && orientation != 1;
  if (!options.region || turned || info.num_components == 4 || reader.multiple_scans()) return whole;
  if (reader.rest().rfind("\xFF\xD9") == std::string_view::npos) return whole;
  const Region region = options.region(static_cast<int>(info.image_width), static_cast<int>(info.image_height));
  // The outermost column and row are made without a neighbour, so there is one block of the coarsest channel more.
  const auto margin_x = static_cast<unsigned>(info.max_h_samp_factor * DCTSIZE);
  const auto margin_y = static_cast<unsigned>(info.max_v_samp_factor * DCTSIZE);
  const auto before = [](int at, unsigned margin) {
    return at > 0 ? std::max(static_cast<unsigned>(at), margin) - margin : 0;
  };
  const auto after = [](int at, unsigned margin, unsigned size) {
    return std::min(static_cast<unsigned>(std::max(at, 0)) + margin, size);
  };
  unsigned left = before(region.left, margin_x);
  unsigned width = after(region.left + region.width, margin_x, info.image_width) - left;
  const unsigned top = before(region.top, margin_y) / margin_y * margin_y;
  const unsigned end = after(region.top + region.height, 0, info.image_height);
  if (region.width <= 0 || region.height <= 0) return whole;
  if (width + margin_x < info.image_width) {
    if (const Result result = reader.crop_columns(left, width); result != Result::done) fail_at(reader, result);
  } else {
    left = 0;
  }
  if (top > 0) {
    if (const Result result = reader.skip_rows(top); result != Result::done) fail_at(reader, result);
  }
  return {left, end};
}

}  // namespace

bool is_jpeg(std::string_view bytes) { return bytes.substr(0, 3) == "\xFF\xD8\xFF"; }

void decode_jpeg(std::string_view bytes, const DecodeOptions& options, Pixels& out) {
  using Result = JpegReader::Result;
  JpegReader reader(bytes);
  if (const Result result = reader.read_header(); result != Result::done) fail_at(reader, result);

  const jpeg_decompress_struct& info = reader.info();
  check_size(info.image_width, info.image_height, options.limits);
  if (info.num_components != 1 && info.num_components != 3 && info.num_components != 4)
    fail("the JPEG has " + std::to_string(info.num_components) + " components, expected 1, 3 or 4");
  check_scans(reader, options.limits);
  out.mode = info.num_components == 1 ? "L" : info.num_components == 3 ? "RGB" : "CMYK";
  out.exif_orientation = orientation_of(info);

  std::uint8_t* rgb = prepare(out, info.image_width, info.image_height, options.limits);
  if (const Result result = reader.start(options.limits.jpeg_scans); result != Result::done) fail_at(reader, result);

  const Part part = start_part(reader, options, out.exif_orientation);
  const std::size_t stride = std::size_t{info.image_width} * 3;
  const bool cmyk = info.num_components == 4;
  if (cmyk) out.scratch.resize(std::size_t{info.image_width} * 4);
  std::array<std::uint8_t*, 16> rows{};
  while (info.output_scanline < part.end) {
    const std::size_t first = info.output_scanline;
    const auto count =
        static_cast<unsigned>(cmyk ? 1 : std::min<std::size_t>(rows.size(), std::size_t{info.image_height} - first));
    for (std::size_t i = 0; i < count; ++i)
      rows.at(i) = cmyk ? out.scratch.data() : rgb + (first + i) * stride + std::size_t{part.left} * 3;
    if (const Result result = reader.read_rows(rows.data(), count); result != Result::done) fail_at(reader, result);
    if (cmyk) cmyk_to_rgb(out.scratch.data(), info.image_width, true, rgb + first * stride);
  }
}

}  // namespace ptrun::image
