#include "predictor/pixels.h"

#include <array>
#include <cstring>

#include "ptrun/error.h"

namespace ptrun {
namespace {

// Where red, green and blue lie in a pixel, and its size.
struct Layout {
  std::size_t bytes;
  std::array<std::size_t, 3> channel;
  const char* mode;
};

Layout layout_of(ImageView::Format format) {
  switch (format) {
    case ImageView::Format::rgb: return {3, {0, 1, 2}, "RGB"};
    case ImageView::Format::bgr: return {3, {2, 1, 0}, "RGB"};
    case ImageView::Format::rgba: return {4, {0, 1, 2}, "RGBA"};
    case ImageView::Format::bgra: return {4, {2, 1, 0}, "RGBA"};
    case ImageView::Format::gray: return {1, {0, 0, 0}, "L"};
  }
  throw Error(ErrorCode::invalid_argument, "ImageView::format", "has no such value");
}

}  // namespace

void copy_pixels(const ImageView& view, const std::string& subject, const image::DecodeLimits& limits,
                 image::Pixels& out) {
  const Layout layout = layout_of(view.format);
  const std::string size = std::to_string(view.width) + " x " + std::to_string(view.height);
  if (view.data == nullptr || view.width < 1 || view.height < 1 || view.width > limits.side ||
      view.height > limits.side) {
    throw Error(ErrorCode::bad_image, subject,
                "an image of " + size + " pixels was given, expected 1 to " + std::to_string(limits.side) +
                    " on each side and data");
  }
  const auto width = static_cast<std::size_t>(view.width);
  const auto height = static_cast<std::size_t>(view.height);
  if (std::uint64_t{width} * height > limits.pixels) {
    throw Error(ErrorCode::limit_exceeded, subject,
                "an image of " + size + " pixels was given, the limit is " + std::to_string(limits.pixels) +
                    " pixels (max_image_pixels)");
  }
  const std::size_t stride = view.stride != 0 ? view.stride : width * layout.bytes;
  if (stride < width * layout.bytes) {
    throw Error(ErrorCode::bad_image, subject,
                "a stride of " + std::to_string(stride) + " bytes was given, expected at least " +
                    std::to_string(width * layout.bytes) + " for " + size + " pixels");
  }
  out.width = view.width;
  out.height = view.height;
  out.mode = layout.mode;
  out.exif_orientation = 1;
  out.reduced = 1;
  out.streamed = false;
  if (out.data.size() < width * height * 3) out.data.resize(width * height * 3);
  std::uint8_t* to = out.data.data();
  for (std::size_t y = 0; y < height; ++y) {
    const unsigned char* row = view.data + y * stride;
    if (view.format == ImageView::Format::rgb) {
      std::memcpy(to, row, width * 3);
      to += width * 3;
      continue;
    }
    for (std::size_t x = 0; x < width; ++x, row += layout.bytes) {
      for (const std::size_t channel : layout.channel) *to++ = row[channel];
    }
  }
}

}  // namespace ptrun
