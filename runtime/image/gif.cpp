// GIF by giflib, the first picture as Pillow's GifImagePlugin shows it: a frame beyond the screen widens it, what the
// frame leaves free is the transparent colour, or colour 0. Only the first frame is decoded.
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
  out.scratch.resize(frame_width);
  for (std::size_t p = 0; p < passes; ++p) {
    const Pass pass = frame.Interlace ? kInterlaced.at(p) : Pass{0, 1};
    for (std::size_t y = pass.first; y < frame_height; y += pass.step) {
      if (DGifGetLine(gif.get(), out.scratch.data(), static_cast<int>(frame_width)) == GIF_ERROR)
        fail_at(input, gif.get(), "at row " + std::to_string(y) + " of " + std::to_string(frame_height));
      std::uint8_t* row = rgb + ((top + y) * width + left) * 3;
      for (std::size_t x = 0; x < frame_width; ++x) std::memcpy(row + x * 3, palette[out.scratch[x]].data(), 3);
    }
  }
}

}  // namespace ptrun::image
