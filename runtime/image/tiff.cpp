// TIFF by libtiff, out of memory and without its process-wide handlers: the first picture of the file, read row by row
// or tile by tile, the pixels made RGB by Pillow's rules (tiff_format.h) and not by libtiff's.
#include <tiffio.h>

#include <algorithm>
#include <array>
#include <cstdarg>
#include <cstdio>
#include <cstring>
#include <memory>
#include <string>

#include "image/codec.h"
#include "image/orientation.h"
#include "image/tiff_format.h"
#include "ptrun/error.h"

namespace ptrun::image {
namespace {

constexpr std::uint64_t kMaxBlockBytes = 256U << 20U;  // a tile, or what libtiff allocates at once

// The file in memory, and the last thing that libtiff complained about.
struct Input {
  explicit Input(std::string_view file) : bytes(file) {}
  std::string_view bytes;
  std::uint64_t at = 0;
  std::array<char, 200> message{};
  bool palette_lost = false;
};

Input& input_of(thandle_t handle) { return *static_cast<Input*>(handle); }

tmsize_t read_bytes(thandle_t handle, void* to, tmsize_t size) {
  Input& input = input_of(handle);
  if (size <= 0 || input.at >= input.bytes.size()) return 0;
  const auto count = std::min<std::uint64_t>(static_cast<std::uint64_t>(size), input.bytes.size() - input.at);
  std::memcpy(to, input.bytes.data() + input.at, count);
  input.at += count;
  return static_cast<tmsize_t>(count);
}

toff_t seek(thandle_t handle, toff_t offset, int whence) {
  Input& input = input_of(handle);
  const std::uint64_t base = whence == SEEK_CUR ? input.at : whence == SEEK_END ? input.bytes.size() : 0;
  input.at = base + offset;
  return input.at;
}

int map_file(thandle_t handle, void** base, toff_t* size) {
  Input& input = input_of(handle);
  *base = const_cast<char*>(input.bytes.data());  // NOLINT: libtiff's type; opened for reading only
  *size = input.bytes.size();
  return 1;
}

int on_error(TIFF*, void* user, const char* module, const char* format, va_list arguments) {
  Input& input = *static_cast<Input*>(user);
  (void)module;
  std::vsnprintf(input.message.data(), input.message.size(), format, arguments);
  return 1;
}

// libtiff shows a picture whose palette it could not read as grey, and only warns.
int on_warning(TIFF*, void* user, const char*, const char* format, va_list arguments) {
  std::array<char, 200> message{};
  std::vsnprintf(message.data(), message.size(), format, arguments);
  if (std::strstr(message.data(), "ColorMap") != nullptr) static_cast<Input*>(user)->palette_lost = true;
  return 1;
}

struct CloseTiff {
  void operator()(TIFF* tiff) const { TIFFClose(tiff); }
};
struct FreeOptions {
  void operator()(TIFFOpenOptions* options) const { TIFFOpenOptionsFree(options); }
};
using Tiff = std::unique_ptr<TIFF, CloseTiff>;

Tiff open_tiff(Input& input) {
  const std::unique_ptr<TIFFOpenOptions, FreeOptions> options(TIFFOpenOptionsAlloc());
  if (options == nullptr) throw std::bad_alloc();
  TIFFOpenOptionsSetMaxSingleMemAlloc(options.get(), static_cast<tmsize_t>(kMaxBlockBytes));
  TIFFOpenOptionsSetErrorHandlerExtR(options.get(), on_error, &input);
  TIFFOpenOptionsSetWarningHandlerExtR(options.get(), on_warning, &input);
  return Tiff(TIFFClientOpenExt(
      "image", "rC", &input, read_bytes, [](thandle_t, void*, tmsize_t) -> tmsize_t { return 0; }, seek,
      [](thandle_t) { return 0; }, [](thandle_t handle) -> toff_t { return input_of(handle).bytes.size(); }, map_file,
      [](thandle_t, void*, toff_t) {}, options.get()));
}

template <typename T>
void get(TIFF* tiff, std::uint32_t tag, T& value) {
  TIFFGetFieldDefaulted(tiff, tag, &value);  // NOLINT: libtiff's interface is variadic
}

std::string ending(const Input& input) {
  return input.message[0] == '\0' ? std::string() : std::string(": ") + input.message.data();
}

TiffTags read_tags(TIFF* tiff, const Input& input) {
  TiffTags tags;
  if (TIFFGetField(tiff, TIFFTAG_IMAGEWIDTH, &tags.width) == 0 ||  // NOLINT
      TIFFGetField(tiff, TIFFTAG_IMAGELENGTH, &tags.height) == 0)  // NOLINT
    fail("the TIFF directory lacks the size of the picture" + ending(input));
  get(tiff, TIFFTAG_BITSPERSAMPLE, tags.bits);
  get(tiff, TIFFTAG_SAMPLESPERPIXEL, tags.samples);
  get(tiff, TIFFTAG_COMPRESSION, tags.compression);
  get(tiff, TIFFTAG_SAMPLEFORMAT, tags.sample_format);
  // Old-style JPEG is YCbCr whatever the directory says (as Pillow takes it).
  if (TIFFGetField(tiff, TIFFTAG_PHOTOMETRIC, &tags.photometric) == 0) tags.photometric = 0;  // NOLINT
  if (tags.compression == COMPRESSION_OJPEG) tags.photometric = PHOTOMETRIC_YCBCR;
  std::uint16_t orientation = 1;
  get(tiff, TIFFTAG_ORIENTATION, orientation);
  tags.orientation = orientation >= 1 && orientation <= 8 ? orientation : 1;
  const std::uint16_t* extras = nullptr;
  if (TIFFGetField(tiff, TIFFTAG_EXTRASAMPLES, &tags.extras, &extras) != 0 && tags.extras > 0)  // NOLINT
    tags.first_extra = extras[0];
  else
    tags.extras = 0;
  std::uint16_t planar = PLANARCONFIG_CONTIG;
  get(tiff, TIFFTAG_PLANARCONFIG, planar);
  // Planes of no stated meaning stand behind the others and are left alone.
  if (planar == PLANARCONFIG_SEPARATE && tags.extras > 0 && tags.extras < tags.samples &&
      *std::max_element(extras, extras + tags.extras) == 0) {
    tags.samples = static_cast<std::uint16_t>(tags.samples - tags.extras);
    tags.extras = 0;
  }
  tags.planar = planar == PLANARCONFIG_SEPARATE && tags.samples > 1;
  tags.big_endian = TIFFIsBigEndian(tiff) != 0;
  return tags;
}

void read_palette(TIFF* tiff, const TiffTags& tags, TiffFormat& format) {
  std::array<const std::uint16_t*, 3> maps{};
  if (TIFFGetField(tiff, TIFFTAG_COLORMAP, &maps[0], &maps[1], &maps[2]) == 0)  // NOLINT
    fail("the TIFF picture has a palette, but the file lacks it");
  for (std::size_t i = 0; i < format.palette.size(); ++i)
    for (std::size_t c = 0; c < 3; ++c)
      format.palette.at(i).at(c) = i < std::size_t{1} << tags.bits ? static_cast<std::uint8_t>(maps.at(c)[i] >> 8U)
                                                                   : static_cast<std::uint8_t>(i);
}

// What reading needs: the rows come out of `tiff` and go to `rgb`.
struct Job {
  TIFF* tiff = nullptr;
  const Input& input;
  TiffTags tags;
  TiffFormat format;
  std::uint8_t* rgb = nullptr;
  std::vector<std::uint8_t>& scratch;

  std::size_t width() const { return tags.width; }
  std::size_t height() const { return tags.height; }
};

[[noreturn]] void fail_at(const Job& job, std::size_t row) {
  fail("TIFF data ends or is damaged at row " + std::to_string(row) + " of " + std::to_string(job.height()) +
       ending(job.input));
}

// Planes are put side by side, pixel by pixel, where several are needed for one colour.
void merge_plane(const std::uint8_t* in, std::size_t count, std::size_t sample_bytes, std::size_t plane,
                 std::size_t planes, std::uint8_t* out) {
  for (std::size_t x = 0; x < count; ++x)
    std::memcpy(out + (x * planes + plane) * sample_bytes, in + x * sample_bytes, sample_bytes);
}

// A picture in strips. libtiff holds the coded bytes of one strip at a time, and we hold one row.
void read_rows(Job& job) {
  const auto row_bytes = static_cast<std::size_t>(TIFFScanlineSize(job.tiff));
  const TiffTags& tags = job.tags;
  const std::size_t needed = (job.width() * tags.bits * (tags.planar ? 1 : tags.samples) + 7) / 8;
  if (row_bytes < needed) fail("the TIFF rows are shorter than the picture is wide; the file is damaged");
  if (!tags.planar) {
    job.scratch.assign(row_bytes, 0);
    for (std::size_t y = 0; y < job.height(); ++y) {
      if (TIFFReadScanline(job.tiff, job.scratch.data(), static_cast<std::uint32_t>(y), 0) != 1) fail_at(job, y);
      tiff_row_to_rgb(job.scratch.data(), tags, job.format, job.width(), job.rgb + y * job.width() * 3);
    }
    return;
  }
  // libtiff goes through each plane from the top, so all planes of the picture are kept.
  const std::size_t sample_bytes = tags.bits / 8;
  const std::size_t planes = job.format.channels;
  const std::size_t merged_row = job.width() * planes * sample_bytes;
  job.scratch.assign(row_bytes + merged_row * job.height(), 0);
  std::uint8_t* merged = job.scratch.data() + row_bytes;
  for (std::size_t plane = 0; plane < planes; ++plane)
    for (std::size_t y = 0; y < job.height(); ++y) {
      if (TIFFReadScanline(job.tiff, job.scratch.data(), static_cast<std::uint32_t>(y),
                           static_cast<std::uint16_t>(plane)) != 1)
        fail_at(job, y);
      merge_plane(job.scratch.data(), job.width(), sample_bytes, plane, planes, merged + y * merged_row);
    }
  TiffTags interleaved = tags;
  interleaved.samples = static_cast<std::uint16_t>(planes);
  for (std::size_t y = 0; y < job.height(); ++y)
    tiff_row_to_rgb(merged + y * merged_row, interleaved, job.format, job.width(), job.rgb + y * job.width() * 3);
}

void read_tiles(Job& job) {
  const TiffTags& tags = job.tags;
  std::uint32_t tile_width = 0;
  std::uint32_t tile_height = 0;
  get(job.tiff, TIFFTAG_TILEWIDTH, tile_width);
  get(job.tiff, TIFFTAG_TILELENGTH, tile_height);
  const std::uint64_t tile_bytes = TIFFTileSize64(job.tiff);
  const std::uint64_t row_bytes = TIFFTileRowSize64(job.tiff);
  const std::size_t samples = tags.planar ? 1 : tags.samples;
  if (tile_width == 0 || tile_height == 0 || row_bytes < (std::uint64_t{tile_width} * tags.bits * samples + 7) / 8 ||
      tile_bytes / row_bytes < tile_height)
    fail("the TIFF tiles have no usable size; the file is damaged");
  if (tile_bytes > kMaxBlockBytes)
    throw Error(ErrorCode::limit_exceeded, "",
                "the TIFF tiles are " + size_text(tile_width, tile_height) + " pixels, expected at most 256 MiB each");

  const std::size_t sample_bytes = tags.bits / 8;
  const std::size_t planes = tags.planar ? job.format.channels : 1;
  const std::size_t merged_row = tags.planar ? std::size_t{tile_width} * planes * sample_bytes : 0;
  job.scratch.assign(static_cast<std::size_t>(tile_bytes) + merged_row * tile_height, 0);
  std::uint8_t* tile = job.scratch.data();
  std::uint8_t* merged = tile + tile_bytes;
  TiffTags interleaved = tags;
  if (tags.planar) interleaved.samples = static_cast<std::uint16_t>(planes);
  for (std::size_t y0 = 0; y0 < job.height(); y0 += tile_height)
    for (std::size_t x0 = 0; x0 < job.width(); x0 += tile_width) {
      for (std::size_t plane = 0; plane < planes; ++plane) {
        if (TIFFReadTile(job.tiff, tile, static_cast<std::uint32_t>(x0), static_cast<std::uint32_t>(y0), 0,
                         static_cast<std::uint16_t>(plane)) < 0)
          fail_at(job, y0);
        for (std::size_t y = 0; tags.planar && y < tile_height; ++y)
          merge_plane(tile + y * row_bytes, tile_width, sample_bytes, plane, planes, merged + y * merged_row);
      }
      const std::size_t columns = std::min<std::size_t>(tile_width, job.width() - x0);
      for (std::size_t y = 0; y < std::min<std::size_t>(tile_height, job.height() - y0); ++y)
        tiff_row_to_rgb(tags.planar ? merged + y * merged_row : tile + y * row_bytes, interleaved, job.format, columns,
                        job.rgb + ((y0 + y) * job.width() + x0) * 3);
    }
}

// Compressed YCbCr other than JPEG: subsampled in its own way, which libtiff undoes (as in Pillow).
void read_by_libtiff(Job& job) {
  std::array<char, 1024> message{};
  TIFFRGBAImage image{};
  if (TIFFRGBAImageOK(job.tiff, message.data()) == 0 || TIFFRGBAImageBegin(&image, job.tiff, 0, message.data()) == 0)
    fail(std::string("the TIFF picture cannot be read: ") + message.data());
  const std::unique_ptr<TIFFRGBAImage, void (*)(TIFFRGBAImage*)> end(&image, TIFFRGBAImageEnd);
  image.orientation = ORIENTATION_TOPLEFT;
  image.req_orientation = ORIENTATION_TOPLEFT;
  image.col_offset = 0;
  std::uint32_t block = 0;
  get(job.tiff, TIFFIsTiled(job.tiff) != 0 ? TIFFTAG_TILELENGTH : TIFFTAG_ROWSPERSTRIP, block);
  if (block == 0 || block > job.tags.height) block = job.tags.height;
  job.scratch.assign(job.width() * block * 4 + 4, 0);
  // Raster words are 32 bits with red in the low byte.
  auto* raster = reinterpret_cast<std::uint32_t*>(job.scratch.data());
  for (std::size_t y = 0; y < job.height(); y += block) {
    image.row_offset = static_cast<int>(y);
    const auto rows = static_cast<std::uint32_t>(std::min<std::size_t>(block, job.height() - y));
    if (TIFFRGBAImageGet(&image, raster, job.tags.width, rows) == 0) fail_at(job, y);
    for (std::size_t i = 0; i < job.width() * rows; ++i) {
      std::uint8_t* pixel = job.rgb + (y * job.width() + i) * 3;
      pixel[0] = static_cast<std::uint8_t>(TIFFGetR(raster[i]));
      pixel[1] = static_cast<std::uint8_t>(TIFFGetG(raster[i]));
      pixel[2] = static_cast<std::uint8_t>(TIFFGetB(raster[i]));
    }
  }
}

}  // namespace

bool is_tiff(std::string_view bytes) {
  using namespace std::string_view_literals;
  const std::string_view magic = bytes.substr(0, 4);
  return magic == "II*\0"sv || magic == "MM\0*"sv || magic == "II+\0"sv || magic == "MM\0+"sv;
}

void decode_tiff(std::string_view bytes, const DecodeOptions& options, Pixels& out) {
  Input input{bytes};
  const Tiff tiff = open_tiff(input);
  if (tiff == nullptr) fail("the TIFF directory is damaged or cut off" + ending(input));
  Job job{tiff.get(), input, read_tags(tiff.get(), input), {}, nullptr, out.scratch};
  TiffTags& tags = job.tags;
  check_size(tags.width, tags.height, options.limits);
  if (input.palette_lost) fail("the TIFF palette is damaged or cut off");
  job.format = tiff_format(tags);
  if (job.format.pixels == TiffPixels::palette) read_palette(tiff.get(), tags, job.format);
  if (tags.planar && tags.bits % 8 != 0) fail("the TIFF planes have less than 8 bits a sample, which is not read");
  if (TIFFIsCODECConfigured(tags.compression) == 0)
    fail("the TIFF picture is compressed by method " + std::to_string(tags.compression) + ", which libtiff lacks");
  out.mode = job.format.mode;
  out.exif_orientation = tags.orientation;

  bool by_libtiff = false;
  if (job.format.pixels == TiffPixels::ycbcr) {
    std::array<std::uint16_t, 2> subsampling = {2, 2};
    TIFFGetFieldDefaulted(tiff.get(), TIFFTAG_YCBCRSUBSAMPLING, &subsampling[0], &subsampling[1]);  // NOLINT
    if (tags.compression == COMPRESSION_JPEG && !tags.planar) {
      TIFFSetField(tiff.get(), TIFFTAG_JPEGCOLORMODE, JPEGCOLORMODE_RGB);  // NOLINT
      job.format.pixels = TiffPixels::rgb;
    } else if (tags.compression != COMPRESSION_NONE || subsampling[0] != 1 || subsampling[1] != 1) {
      by_libtiff = true;
    }
  }
  job.rgb = prepare(out, tags.width, tags.height, options.limits);
  if (by_libtiff)
    read_by_libtiff(job);
  else if (TIFFIsTiled(tiff.get()) != 0)
    read_tiles(job);
  else
    read_rows(job);
}

}  // namespace ptrun::image
