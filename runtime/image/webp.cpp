// WebP by libwebp, the first picture of an animation, alpha dropped: what Pillow's WebPImagePlugin shows. Pixels of the
// canvas outside the first frame are black.
#include <webp/decode.h>
#include <webp/demux.h>

#include <memory>
#include <string>

#include "image/codec.h"
#include "image/orientation.h"

namespace ptrun::image {
namespace {

struct DeleteDemuxer {
  void operator()(WebPDemuxer* demuxer) const { WebPDemuxDelete(demuxer); }
};

std::string_view chunk(const WebPDemuxer* demuxer, const char* name, WebPChunkIterator& iterator) {
  if (WebPDemuxGetChunk(demuxer, name, 1, &iterator) == 0) return {};
  return {reinterpret_cast<const char*>(iterator.chunk.bytes), iterator.chunk.size};
}

int orientation_of(const WebPDemuxer* demuxer) {
  WebPChunkIterator exif{};
  WebPChunkIterator xmp{};
  const int orientation = find_orientation(chunk(demuxer, "EXIF", exif), chunk(demuxer, "XMP ", xmp));
  WebPDemuxReleaseChunkIterator(&exif);
  WebPDemuxReleaseChunkIterator(&xmp);
  return orientation;
}

// The canvas of an extended file stands at a fixed place: checked before anything is parsed.
void check_canvas(std::string_view bytes, const DecodeLimits& limits) {
  if (bytes.substr(12, 4) != "VP8X" || bytes.size() < 30) return;
  const auto side = [&](std::size_t at) {
    const auto byte = [&](std::size_t i) {
      return static_cast<std::uint64_t>(static_cast<unsigned char>(bytes[at + i]));
    };
    return (byte(0) | byte(1) << 8U | byte(2) << 16U) + 1;
  };
  check_size(side(24), side(27), limits);
}

const char* status_text(VP8StatusCode status) {
  switch (status) {
    case VP8_STATUS_OUT_OF_MEMORY: return "there is not enough memory to decode it";
    case VP8_STATUS_UNSUPPORTED_FEATURE: return "it uses a feature that libwebp lacks";
    case VP8_STATUS_SUSPENDED:
    case VP8_STATUS_NOT_ENOUGH_DATA: return "its data ends too early; the file is truncated";
    default: return "its data is damaged";
  }
}

}  // namespace

bool is_webp(std::string_view bytes) {
  return bytes.size() >= 16 && bytes.substr(0, 4) == "RIFF" && bytes.substr(8, 4) == "WEBP" &&
         bytes.substr(12, 3) == "VP8";
}

void decode_webp(std::string_view bytes, const DecodeOptions& options, Pixels& out) {
  check_canvas(bytes, options.limits);
  const WebPData data = {reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size()};
  WebPDemuxState state = WEBP_DEMUX_PARSE_ERROR;
  const std::unique_ptr<WebPDemuxer, DeleteDemuxer> demuxer(WebPDemuxPartial(&data, &state));
  if (demuxer == nullptr || state < WEBP_DEMUX_PARSED_HEADER) fail("the WebP header is damaged");
  const std::uint32_t width = WebPDemuxGetI(demuxer.get(), WEBP_FF_CANVAS_WIDTH);
  const std::uint32_t height = WebPDemuxGetI(demuxer.get(), WEBP_FF_CANVAS_HEIGHT);
  check_size(width, height, options.limits);
  if (state != WEBP_DEMUX_DONE) fail("WebP data ends too early; the file is truncated");

  WebPIterator frame{};
  if (WebPDemuxGetFrame(demuxer.get(), 1, &frame) == 0) fail("the WebP file holds no picture");
  const std::unique_ptr<WebPIterator, void (*)(WebPIterator*)> release(&frame, WebPDemuxReleaseIterator);
  WebPDecoderConfig config;
  if (WebPInitDecoderConfig(&config) == 0) fail("libwebp is of another version than its header");
  if (const auto status = WebPGetFeatures(frame.fragment.bytes, frame.fragment.size, &config.input);
      status != VP8_STATUS_OK)
    fail(std::string("the WebP picture cannot be read: ") + status_text(status));

  WebPBitstreamFeatures features{};
  const bool alpha =
      WebPGetFeatures(data.bytes, data.size, &features) == VP8_STATUS_OK ? features.has_alpha != 0 : true;
  out.mode = alpha ? "RGBA" : "RGB";
  out.exif_orientation = orientation_of(demuxer.get());

  const auto right = static_cast<std::uint64_t>(frame.x_offset) + static_cast<std::uint64_t>(frame.width);
  const auto bottom = static_cast<std::uint64_t>(frame.y_offset) + static_cast<std::uint64_t>(frame.height);
  if (config.input.width != frame.width || config.input.height != frame.height || right > width || bottom > height)
    fail("the first WebP frame lies outside its canvas; the file is damaged");
  const bool covers = frame.width == static_cast<int>(width) && frame.height == static_cast<int>(height);
  std::uint8_t* rgb = prepare(out, width, height, options.limits, !covers);
  const std::size_t stride = std::size_t{width} * 3;
  const std::size_t offset =
      static_cast<std::size_t>(frame.y_offset) * stride + static_cast<std::size_t>(frame.x_offset) * 3;
  config.output.colorspace = MODE_RGB;
  config.output.is_external_memory = 1;
  config.output.u.RGBA.rgba = rgb + offset;
  config.output.u.RGBA.stride = static_cast<int>(stride);
  config.output.u.RGBA.size = out.data.size() - offset;
  const auto status = WebPDecode(frame.fragment.bytes, frame.fragment.size, &config);
  WebPFreeDecBuffer(&config.output);
  if (status != VP8_STATUS_OK) fail(std::string("the WebP picture cannot be read: ") + status_text(status));
}

}  // namespace ptrun::image
