// GIF by giflib, the first picture as Pillow's GifImagePlugin shows it: a frame beyond the screen widens it, what the
// frame leaves free is the transparent colour, or colour 0. Only the first frame is decoded. The codes are unpacked
// here: giflib makes a picture of damaged ones without a word, where Pillow reports them.
#include <gif_lib.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <memory>
#include <string>

#include "image/codec.h"

namespace ptrun::image {
namespace {

// The bytes still to be read. Behind the end come zeros, which giflib takes for the end of the blocks: a file cut
// behind its first picture is still a picture, one cut within it is an error.
struct Input {
  std::string_view bytes;
  bool ended = false;
};

int read_bytes(GifFileType* gif, GifByteType* to, int count) {
  auto* input = static_cast<Input*>(gif->UserData);
  const std::size_t available = std::min(static_cast<std::size_t>(count), input->bytes.size());
  std::memcpy(to, input->bytes.data(), available);
  std::memset(to + available, 0, static_cast<std::size_t>(count) - available);
  input->bytes.remove_prefix(available);
  if (available < static_cast<std::size_t>(count)) input->ended = true;
  return count;
}

struct CloseGif {
  void operator()(GifFileType* gif) const { DGifCloseFile(gif, nullptr); }
};

using Palette = std::array<std::array<std::uint8_t, 3>, 256>;

[[noreturn]] void fail_at(const Input& input, const GifFileType* gif, const std::string& place) {
  if (input.ended) fail("GIF data ends " + place + "; the file is truncated");
  const char* text = GifErrorString(gif->Error);
  fail("the GIF data is damaged " + place + ": " + (text != nullptr ? text : "unknown error"));
}

// As in Pillow: no palette, or one that is the ramp of its numbers, is grey; colours that another one lacks are black.
Palette read_palette(const ColorMapObject* map, bool& grey) {
  Palette palette{};
  grey = true;
  if (map != nullptr)
    for (std::size_t i = 0; i < std::min<std::size_t>(static_cast<std::size_t>(map->ColorCount), 256); ++i) {
      const GifColorType& color = map->Colors[i];
      if (color.Red != i || color.Green != i || color.Blue != i) grey = false;
      palette.at(i) = {color.Red, color.Green, color.Blue};
    }
  for (std::size_t i = 0; grey && i < palette.size(); ++i) palette.at(i).fill(static_cast<std::uint8_t>(i));
  return palette;
}

// Reads up to the first picture; returns the transparent colour of its control block, or -1.
int find_picture(GifFileType* gif, const Input& input) {
  int transparent = -1;
  while (true) {
    GifRecordType type = UNDEFINED_RECORD_TYPE;
    if (DGifGetRecordType(gif, &type) == GIF_ERROR || input.ended) fail_at(input, gif, "before the first picture");
    if (type == IMAGE_DESC_RECORD_TYPE) return transparent;
    if (type == TERMINATE_RECORD_TYPE) fail("the GIF file holds no picture");
    if (type != EXTENSION_RECORD_TYPE) continue;
    int code = 0;
    GifByteType* block = nullptr;
    if (DGifGetExtension(gif, &code, &block) == GIF_ERROR) fail_at(input, gif, "before the first picture");
    if (code == GRAPHICS_EXT_FUNC_CODE && block != nullptr && block[0] >= 4 && (block[1] & 1) != 0)
      transparent = block[4];
    while (block != nullptr)
      if (DGifGetExtensionNext(gif, &block) == GIF_ERROR) fail_at(input, gif, "before the first picture");
  }
}

constexpr std::size_t kTableSize = 4096;

// The strings of the LZW codes: each is an earlier one and a byte.
struct LzwTable {
  std::array<std::uint16_t, kTableSize> prefix{};
  std::array<std::uint8_t, kTableSize> last{};
  std::array<std::uint16_t, kTableSize> length{};
};

// Unpacks `codes` into `out`; returns how many bytes came out, less than out_size when the codes end early. Throws for
// a code that no string has yet.
std::size_t unpack_lzw(std::string_view codes, unsigned min_bits, std::uint8_t* out, std::size_t out_size) {
  const unsigned clear = 1U << min_bits;
  LzwTable table;
  for (unsigned code = 0; code < clear; ++code) {
    table.last.at(code) = static_cast<std::uint8_t>(code);
    table.length.at(code) = 1;
  }
  constexpr unsigned kNone = kTableSize;
  unsigned bits = min_bits + 1;
  unsigned next = clear + 2;
  unsigned previous = kNone;
  std::uint32_t buffer = 0;
  unsigned buffered = 0;
  std::size_t done = 0;
  for (std::size_t at = 0; done < out_size;) {
    while (buffered < bits) {
      if (at == codes.size()) return done;
      buffer |= static_cast<std::uint32_t>(static_cast<unsigned char>(codes[at++])) << buffered;
      buffered += 8;
    }
    const unsigned code = buffer & ((1U << bits) - 1);
    buffer >>= bits;
    buffered -= bits;
    if (code == clear) {
      bits = min_bits + 1;
      next = clear + 2;
      previous = kNone;
      continue;
    }
    if (code == clear + 1) return done;
    const bool is_new = previous != kNone && code == next;  // the previous string and its own first byte
    if (previous == kNone ? code > clear : code > next)
      fail("the GIF data is damaged: code " + std::to_string(code) + " before its string was written");
    // The string is written from its end; what lies behind the picture is dropped.
    unsigned link = is_new ? previous : code;
    const std::size_t length = table.length[link] + (is_new ? 1U : 0U);
    std::size_t to = done + length;
    if (is_new) --to;
    while (to > done) {
      --to;
      if (to < out_size) out[to] = table.last[link];
      link = table.prefix[link];
    }
    const std::uint8_t first = out[done];
    if (is_new && done + length - 1 < out_size) out[done + length - 1] = first;
    done += std::min(length, out_size - done);
    if (previous != kNone && next < kTableSize) {
      table.prefix[next] = static_cast<std::uint16_t>(previous);
      table.last[next] = first;
      table.length[next] = static_cast<std::uint16_t>(table.length[previous] + 1);
      if (next == (1U << bits) - 1 && bits < 12) ++bits;
      ++next;
    }
    previous = code;
  }
  return done;
}

// The coded bytes of the picture; an early end is found when they are unpacked.
std::string read_codes(GifFileType* gif, const Input& input, unsigned& min_bits) {
  std::string codes;
  int bits = 0;
  GifByteType* block = nullptr;
  if (DGifGetCode(gif, &bits, &block) == GIF_ERROR) fail_at(input, gif, "in the header of the picture");
  min_bits = static_cast<unsigned>(bits);
  while (block != nullptr) {
    const std::size_t size = block[0];
    if (!input.ended) codes.append(reinterpret_cast<const char*>(block + 1), size);
    if (input.ended || DGifGetCodeNext(gif, &block) == GIF_ERROR) break;
  }
  return codes;
}

}  // namespace

bool is_gif(std::string_view bytes) { return bytes.substr(0, 6) == "GIF87a" || bytes.substr(0, 6) == "GIF89a"; }

void decode_gif(std::string_view bytes, const DecodeOptions& options, Pixels& out) {
  Input input{bytes};
  int error = 0;
  const std::unique_ptr<GifFileType, CloseGif> gif(DGifOpen(&input, read_bytes, &error));
  if (gif == nullptr || input.ended) fail("the GIF header is damaged or cut off");

  const int transparent = find_picture(gif.get(), input);
  if (DGifGetImageDesc(gif.get()) == GIF_ERROR || input.ended)
    fail_at(input, gif.get(), "in the header of the picture");
  const GifImageDesc& frame = gif->Image;
  const auto left = static_cast<std::size_t>(std::max(frame.Left, 0));
  const auto top = static_cast<std::size_t>(std::max(frame.Top, 0));
  const auto frame_width = static_cast<std::size_t>(std::max(frame.Width, 0));
  const auto frame_height = static_cast<std::size_t>(std::max(frame.Height, 0));
  const std::size_t width = std::max(static_cast<std::size_t>(gif->SWidth), left + frame_width);
  const std::size_t height = std::max(static_cast<std::size_t>(gif->SHeight), top + frame_height);
  check_size(width, height, options.limits);
  if (frame_width == 0 || frame_height == 0) fail("the first GIF picture has no pixels");

  bool grey = false;
  const ColorMapObject* map = frame.ColorMap != nullptr ? frame.ColorMap : gif->SColorMap;
  const Palette palette = read_palette(map, grey);
  out.mode = grey ? "L" : "P";

  std::uint8_t* rgb = prepare(out, width, height, options.limits);
  if (frame_width < width || frame_height < height) {
    const auto& free = palette.at(static_cast<std::size_t>(std::max(transparent, 0)));
    for (std::size_t i = 0; i < width * height; ++i) std::memcpy(rgb + i * 3, free.data(), 3);
  }

  // The four passes of an interlaced picture, or one.
  struct Pass {
    std::size_t first;
    std::size_t step;
  };
  constexpr std::array<Pass, 4> kInterlaced = {{{0, 8}, {4, 8}, {2, 4}, {1, 2}}};
  const std::size_t passes = frame.Interlace ? kInterlaced.size() : 1;
  unsigned min_bits = 0;
  const std::string codes = read_codes(gif.get(), input, min_bits);
  out.scratch.resize(frame_width * frame_height);
  const std::size_t done = unpack_lzw(codes, min_bits, out.scratch.data(), out.scratch.size());
  if (done < out.scratch.size())
    fail("GIF data ends at row " + std::to_string(done / frame_width) + " of " + std::to_string(frame_height) +
         "; the file is " + (input.ended ? "truncated" : "damaged"));
  const std::uint8_t* in = out.scratch.data();
  for (std::size_t p = 0; p < passes; ++p) {
    const Pass pass = frame.Interlace ? kInterlaced.at(p) : Pass{0, 1};
    for (std::size_t y = pass.first; y < frame_height; y += pass.step) {
      std::uint8_t* row = rgb + ((top + y) * width + left) * 3;
      for (std::size_t x = 0; x < frame_width; ++x) std::memcpy(row + x * 3, palette[*in++].data(), 3);
    }
  }
}

}  // namespace ptrun::image
