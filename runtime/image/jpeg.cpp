// JPEG by libjpeg-turbo with the settings of Pillow's JpegImagePlugin and JpegDecode.c: defaults of the library,
// JCS_RGB (CMYK: inverted, as Adobe writes it), a source that suspends at the end of the bytes instead of inventing
// an end marker, so that a truncated file is an error. The common kind goes through jpeg_baseline/ first, which gives
// the same bytes or leaves the file.
#include <algorithm>
#include <array>
#include <memory>
#include <new>
#include <string>
#include <utility>

#include "image/codec.h"
#include "image/jpeg_baseline/baseline.h"
#include "image/jpeg_reader.h"
#include "image/orientation.h"
#include "image/row_writer.h"
#include "ptrun/error.h"

namespace ptrun::image {
namespace {

struct JpegState : CodecState {
  JpegReader reader;
  BaselineDecoder baseline;
  RowWriter writer;
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
  std::string_view exif;
  std::string_view xmp;
  std::string joined;
  for (const jpeg_marker_struct* marker = info.marker_list; marker != nullptr; marker = marker->next) {
    const std::string_view data(reinterpret_cast<const char*>(marker->data), marker->data_length);
    if (data.substr(0, kExif.size()) == kExif) {
      // A long block is continued in the next segment.
      if (!exif.empty()) joined = std::string(exif).append(data.substr(kExif.size()));
      exif = exif.empty() ? data : std::string_view(joined);
    } else if (data.substr(0, kXmp.size()) == kXmp) {
      xmp = data.substr(kXmp.size());
    }
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

int reduction_of(const jpeg_decompress_struct& info, const DecodeOptions& options, int orientation) {
  if (!options.reduction) return 1;
  const auto width = static_cast<int>(info.image_width);
  const auto height = static_cast<int>(info.image_height);
  return orientation > 4 ? options.reduction(height, width) : options.reduction(width, height);
}

// What the caller reads of an upright picture, where leaving out the rest changes neither a pixel nor an error: one
// scan, no turn, and an end marker, before which libjpeg never runs out of bytes. Otherwise all of it.
Region needed_part(JpegReader& reader, const DecodeOptions& options, bool turned, int width, int height) {
  const Region whole = {0, 0, width, height};
  if (!options.region || turned || reader.info().num_components == 4 || reader.multiple_scans()) return whole;
  if (reader.rest().rfind("\xFF\xD9") == std::string_view::npos) return whole;
  const Region wanted = options.region(width, height);
  Region part;
  part.left = std::clamp(wanted.left, 0, width);
  part.top = std::clamp(wanted.top, 0, height);
  part.width = std::clamp(wanted.width, 0, width - part.left);
  part.height = std::clamp(wanted.height, 0, height - part.top);
  return part.width > 0 && part.height > 0 ? part : whole;
}

// Rows up to `end`, which hold the columns [left, left + width).
struct Part {
  unsigned left = 0;
  unsigned width = 0;
  unsigned end = 0;
};

// Lets libjpeg leave out what lies around `region`.
Part start_part(JpegReader& reader, const Region& region) {
  using Result = JpegReader::Result;
  const jpeg_decompress_struct& info = reader.info();
  const auto end = static_cast<unsigned>(region.top + region.height);
  // Of a reduced picture only the rows behind the last one are left out: the others are made with their neighbours.
  if (info.output_height != info.image_height) return {0, info.output_width, end};
  // The outermost column and row are made without a neighbour, so there is one block of the coarsest channel more.
  const auto margin_x = static_cast<unsigned>(info.max_h_samp_factor * DCTSIZE);
  const auto margin_y = static_cast<unsigned>(info.max_v_samp_factor * DCTSIZE);
  const auto before = [](int at, unsigned margin) { return std::max(static_cast<unsigned>(at), margin) - margin; };
  unsigned left = before(region.left, margin_x);
  unsigned width = std::min(static_cast<unsigned>(region.left + region.width) + margin_x, info.output_width) - left;
  if (width + margin_x < info.output_width) {
    if (const Result result = reader.crop_columns(left, width); result != Result::done) fail_at(reader, result);
  } else {
    left = 0;
    width = info.output_width;
  }
  if (const unsigned top = before(region.top, margin_y) / margin_y * margin_y; top > 0) {
    if (const Result result = reader.skip_rows(top); result != Result::done) fail_at(reader, result);
  }
  return {left, width, end};
}

void read_rows(JpegReader& reader, const Region& region, RowWriter& writer, Pixels& out) {
  const jpeg_decompress_struct& info = reader.info();
  const bool cmyk = info.num_components == 4;
  const Part part = start_part(reader, region);
  writer.begin(info.output_scanline, part.end, part.left, part.width);
  if (cmyk) out.scratch.resize(std::size_t{info.output_width} * 4);
  while (info.output_scanline < part.end) {
    const std::size_t first = info.output_scanline;
    // Of a strip as high as there are pointers; libjpeg makes one or two of its rows at a time.
    std::array<std::uint8_t*, RowWriter::kStrip> rows{};
    const auto count = static_cast<unsigned>(
        cmyk ? 1 : std::min<std::size_t>(writer.room(first), std::size_t{info.output_height} - first));
    for (std::size_t i = 0; i < count; ++i) rows.at(i) = cmyk ? out.scratch.data() : writer.row(first + i);
    if (const auto result = reader.read_rows(rows.data(), count); result != JpegReader::Result::done)
      fail_at(reader, result);
    if (cmyk) cmyk_to_rgb(out.scratch.data(), info.output_width, true, writer.row(first));
    writer.made(info.output_scanline);
  }
}

}  // namespace

bool is_jpeg(std::string_view bytes) { return bytes.substr(0, 3) == "\xFF\xD8\xFF"; }

void decode_jpeg(std::string_view bytes, const DecodeOptions& options, Pixels& out) {
  using Result = JpegReader::Result;
  auto* kept = dynamic_cast<JpegState*>(out.codec.state.get());
  if (kept == nullptr) {
    auto made = std::make_unique<JpegState>();
    kept = made.get();
    out.codec.state = std::move(made);
  }
  JpegReader& reader = kept->reader;
  if (const Result result = reader.read_header(bytes); result != Result::done) fail_at(reader, result);

  const jpeg_decompress_struct& info = reader.info();
  check_size(info.image_width, info.image_height, options.limits);
  if (info.num_components != 1 && info.num_components != 3 && info.num_components != 4)
    fail("the JPEG has " + std::to_string(info.num_components) + " components, expected 1, 3 or 4");
  check_scans(reader, options.limits);
  out.mode = info.num_components == 1 ? "L" : info.num_components == 3 ? "RGB" : "CMYK";
  out.exif_orientation = orientation_of(info);

  const bool cmyk = info.num_components == 4;
  const bool turned = options.exif == ExifRule::apply && out.exif_orientation != 1;
  out.reduced = reduction_of(info, options, turned ? out.exif_orientation : 1);
  out.full_width = static_cast<int>(info.image_width);
  out.full_height = static_cast<int>(info.image_height);
  if (turned && out.exif_orientation > 4) std::swap(out.full_width, out.full_height);

  RowSink* const sink = turned || cmyk ? nullptr : options.sink;
  if (options.jpeg_kernel != nullptr && !reader.multiple_scans() &&
      kept->baseline.prepare(info, reader.rest(), out.reduced, *options.jpeg_kernel)) {
    const int width = kept->baseline.width();
    const int height = kept->baseline.height();
    kept->writer.open(width, height, sink, options.limits, out);
    out.baseline = kept->baseline.decode(needed_part(reader, options, turned, width, height), kept->writer);
    if (out.baseline) return;
  }
  if (const Result result = reader.start(options.limits.jpeg_scans, out.reduced); result != Result::done)
    fail_at(reader, result);
  const auto width = static_cast<int>(info.output_width);
  const auto height = static_cast<int>(info.output_height);
  kept->writer.open(width, height, sink, options.limits, out);
  read_rows(reader, needed_part(reader, options, turned, width, height), kept->writer, out);
}

}  // namespace ptrun::image
