// PNG by libpng, with the pixels of Pillow's PngImagePlugin: alpha and tRNS are dropped, gamma and colour profiles
// are not applied, 16-bit colours keep their high byte, 16-bit grey is clipped at 255.
#include <png.h>

#include <algorithm>
#include <array>
#include <csetjmp>
#include <cstring>
#include <string>

#include "image/codec.h"
#include "image/orientation.h"
#include "ptrun/error.h"

namespace ptrun::image {
namespace {

// One reading. As in jpeg.cpp: libpng's errors jump back into the method that called it.
class PngReader {
 public:
  explicit PngReader(std::string_view bytes) : bytes_(bytes) {}
  ~PngReader() { png_destroy_read_struct(&png_, &info_, nullptr); }
  PngReader(const PngReader&) = delete;
  PngReader& operator=(const PngReader&) = delete;

  bool create() {
    png_ = png_create_read_struct(PNG_LIBPNG_VER_STRING, this, on_error, [](png_structp, png_const_charp) {});
    info_ = png_ != nullptr ? png_create_info_struct(png_) : nullptr;
    if (info_ == nullptr) return false;
    png_set_read_fn(png_, this, on_read);
    // The side limit is ours, with our message; libpng's own would only say "invalid IHDR".
    png_set_user_limits(png_, PNG_UINT_31_MAX, PNG_UINT_31_MAX);
    png_set_chunk_malloc_max(png_, kMaxChunkMemory);
    // Small pieces, so that a truncated picture is decoded up to the row where its data end.
    png_set_compression_buffer_size(png_, 1024);
    return true;
  }

  // Reads all chunks before the picture.
  bool read_info() {
    if (setjmp(jump_) != 0) return false;  // NOLINT: see the class
    png_read_info(png_, info_);
    return true;
  }

  // One byte a sample below 8 bits, all passes of an interlaced picture.
  bool start() {
    if (setjmp(jump_) != 0) return false;  // NOLINT: see the class
    png_set_packing(png_);
    passes_ = png_set_interlace_handling(png_);
    png_read_update_info(png_, info_);
    // Pillow checks no CRC of the picture's data, and zlib has its own.
    png_set_crc_action(png_, PNG_CRC_QUIET_USE, PNG_CRC_QUIET_USE);
    return true;
  }

  // Reads one row; in a later pass of an interlaced picture into the row of the earlier ones.
  bool read_row(std::uint8_t* row) {
    if (setjmp(jump_) != 0) return false;  // NOLINT: see the class
    png_read_row(png_, row, nullptr);
    return true;
  }

  // Reads the chunks after the picture.
  bool read_end() {
    if (setjmp(jump_) != 0) return false;  // NOLINT: see the class
    png_read_end(png_, info_);
    return true;
  }

  png_structp png() const { return png_; }
  png_infop info() const { return info_; }
  int passes() const { return passes_; }
  bool at_end() const { return ended_; }
  const char* message() const { return message_.data(); }

 private:
  static constexpr png_alloc_size_t kMaxChunkMemory = 8 << 20;  // bytes of one text or profile, unpacked

  static void on_read(png_structp png, png_bytep to, std::size_t size) {
    auto* self = static_cast<PngReader*>(png_get_io_ptr(png));
    if (size > self->bytes_.size()) {
      self->ended_ = true;
      png_error(png, "end of file");
    }
    std::memcpy(to, self->bytes_.data(), size);
    self->bytes_.remove_prefix(size);
  }
  static void on_error(png_structp png, png_const_charp message) {
    auto* self = static_cast<PngReader*>(png_get_error_ptr(png));
    std::snprintf(self->message_.data(), self->message_.size(), "%s", message);
    std::longjmp(self->jump_, 1);  // NOLINT: the library's way out
  }

  std::string_view bytes_;
  png_structp png_ = nullptr;
  png_infop info_ = nullptr;
  std::jmp_buf jump_{};
  std::array<char, 128> message_{};
  int passes_ = 1;
  bool ended_ = false;
};

using Palette = std::array<std::array<std::uint8_t, 3>, 256>;

// What one row of samples needs to become RGB.
struct RowFormat {
  int color_type = 0;
  int bit_depth = 0;  // as stored; below 8 each sample has a byte of its own here
  std::size_t width = 0;
  Palette palette{};
};

// An index beyond the palette is black, as in Pillow.
Palette read_palette(const PngReader& reader) {
  Palette palette{};
  png_colorp colors = nullptr;
  int count = 0;
  if (png_get_PLTE(reader.png(), reader.info(), &colors, &count) == 0) return palette;
  for (std::size_t i = 0; i < std::min<std::size_t>(static_cast<std::size_t>(count), 256); ++i)
    palette.at(i) = {colors[i].red, colors[i].green, colors[i].blue};
  return palette;
}

void convert_row(const std::uint8_t* in, const RowFormat& format, std::uint8_t* rgb) {
  const std::size_t sample = format.bit_depth == 16 ? 2 : 1;
  switch (format.color_type) {
    case PNG_COLOR_TYPE_PALETTE:
      for (std::size_t x = 0; x < format.width; ++x) std::memcpy(rgb + x * 3, format.palette[in[x]].data(), 3);
      return;
    case PNG_COLOR_TYPE_GRAY:
      for (std::size_t x = 0; x < format.width; ++x) {
        // 1, 2 and 4 bits are spread over 0..255.
        const auto grey = sample == 2 ? clip_grey16(static_cast<unsigned>(in[x * 2] << 8 | in[x * 2 + 1]))
                                      : static_cast<std::uint8_t>(in[x] * (255 / ((1 << format.bit_depth) - 1)));
        rgb[x * 3] = rgb[x * 3 + 1] = rgb[x * 3 + 2] = grey;
      }
      return;
    case PNG_COLOR_TYPE_GRAY_ALPHA:
      for (std::size_t x = 0; x < format.width; ++x) rgb[x * 3] = rgb[x * 3 + 1] = rgb[x * 3 + 2] = in[x * 2 * sample];
      return;
    default: {
      const std::size_t channels = format.color_type == PNG_COLOR_TYPE_RGB ? 3 : 4;
      for (std::size_t x = 0; x < format.width; ++x)
        for (std::size_t c = 0; c < 3; ++c) rgb[x * 3 + c] = in[(x * channels + c) * sample];
    }
  }
}

const char* mode_of(int color_type, int bit_depth) {
  switch (color_type) {
    case PNG_COLOR_TYPE_PALETTE: return "P";
    case PNG_COLOR_TYPE_GRAY: return bit_depth == 1 ? "1" : bit_depth == 16 ? "I;16" : "L";
    case PNG_COLOR_TYPE_GRAY_ALPHA: return bit_depth == 16 ? "RGBA" : "LA";
    case PNG_COLOR_TYPE_RGB: return "RGB";
    default: return "RGBA";
  }
}

// EXIF from its chunk, or written as hexadecimal text by ImageMagick ("Raw profile type exif"); XMP from its text.
int orientation_of(const PngReader& reader) {
  png_bytep data = nullptr;
  png_uint_32 size = 0;
  std::string exif;
  if (png_get_eXIf_1(reader.png(), reader.info(), &size, &data) != 0)
    exif.assign(reinterpret_cast<const char*>(data), size);
  std::string_view xmp;
  png_textp texts = nullptr;
  int count = 0;
  png_get_text(reader.png(), reader.info(), &texts, &count);
  for (int i = 0; i < count; ++i) {
    const std::string_view key = texts[i].key;
    const std::string_view text(texts[i].text, std::max(texts[i].text_length, texts[i].itxt_length));
    if (key == "XML:com.adobe.xmp") xmp = text;
    if (key != "Raw profile type exif" || !exif.empty()) continue;
    // Three lines ("", the name, the length), then hexadecimal digits.
    std::size_t at = 0;
    for (int line = 0; line < 3 && at < text.size(); ++line) at = std::min(text.find('\n', at), text.size() - 1) + 1;
    int high = -1;
    for (; at < text.size(); ++at) {
      const char c = text[at];
      const int digit = c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
      if (digit < 0) continue;
      if (high < 0) {
        high = digit;
      } else {
        exif += static_cast<char>(high << 4 | digit);
        high = -1;
      }
    }
  }
  return find_orientation(exif, xmp);
}

[[noreturn]] void fail_at(const PngReader& reader, const std::string& place) {
  if (reader.at_end()) fail("PNG data ends " + place + "; the file is truncated");
  fail("the PNG data is damaged " + place + ": " + reader.message());
}

}  // namespace

bool is_png(std::string_view bytes) { return bytes.substr(0, 8) == "\x89PNG\r\n\x1A\n"; }

void decode_png(std::string_view bytes, const DecodeOptions& options, Pixels& out) {
  PngReader reader(bytes);
  if (!reader.create()) throw std::bad_alloc();
  if (!reader.read_info()) fail_at(reader, "in the header");

  const png_uint_32 width = png_get_image_width(reader.png(), reader.info());
  const png_uint_32 height = png_get_image_height(reader.png(), reader.info());
  check_size(width, height, options.limits);
  RowFormat format;
  format.color_type = png_get_color_type(reader.png(), reader.info());
  format.bit_depth = png_get_bit_depth(reader.png(), reader.info());
  format.width = width;
  if (format.color_type == PNG_COLOR_TYPE_PALETTE) format.palette = read_palette(reader);
  out.mode = mode_of(format.color_type, format.bit_depth);

  if (!reader.start()) fail_at(reader, "in the header");
  std::uint8_t* rgb = prepare(out, width, height, options.limits);
  const std::size_t row_bytes = png_get_rowbytes(reader.png(), reader.info());
  const std::size_t stride = std::size_t{width} * 3;
  const bool interlaced = reader.passes() > 1;
  // The passes of an interlaced picture fill in each other's rows, so all of them are kept.
  out.scratch.assign(interlaced ? row_bytes * height : row_bytes, 0);
  for (int pass = 0; pass < reader.passes(); ++pass)
    for (std::size_t y = 0; y < height; ++y) {
      std::uint8_t* row = out.scratch.data() + (interlaced ? y * row_bytes : 0);
      if (!reader.read_row(row)) fail_at(reader, "at row " + std::to_string(y) + " of " + std::to_string(height));
      if (pass + 1 == reader.passes()) convert_row(row, format, rgb + y * stride);
    }
  // The picture is complete: damage behind it does not matter, but EXIF may stand there.
  (void)reader.read_end();
  out.exif_orientation = orientation_of(reader);
}

}  // namespace ptrun::image
