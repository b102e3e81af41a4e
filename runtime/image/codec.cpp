#include "image/codec.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <new>

#include "core/text.h"
#include "image/orientation.h"
#include "ptrun/error.h"

namespace ptrun::image {
namespace {

bool starts_with(std::string_view bytes, std::string_view magic) { return bytes.substr(0, magic.size()) == magic; }

// A HEIF family file: a box "ftyp" with one of the brands.
bool has_brand(std::string_view bytes, std::initializer_list<std::string_view> brands) {
  if (bytes.size() < 12 || bytes.substr(4, 4) != "ftyp") return false;
  return std::find(brands.begin(), brands.end(), bytes.substr(8, 4)) != brands.end();
}

// Types that are no picture of ours but common enough to be named.
std::string known_type(std::string_view bytes) {
  using namespace std::string_view_literals;
  struct Known {
    std::string_view magic;
    std::string_view name;
  };
  constexpr std::array<Known, 15> kKnown = {{
      {"\xFF\x0A"sv, "a JPEG XL image"},
      {"\x00\x00\x00\x0CJXL \x0D\x0A"sv, "a JPEG XL image"},
      {"\x00\x00\x00\x0CjP  \x0D\x0A"sv, "a JPEG 2000 image"},
      {"\xFF\x4F\xFF\x51"sv, "a JPEG 2000 image"},
      {"%PDF"sv, "a PDF document"},
      {"8BPS"sv, "a Photoshop document"},
      {"\x00\x00\x01\x00"sv, "an ICO icon"},
      {"DDS "sv, "a DDS texture"},
      {"qoif"sv, "a QOI image"},
      {"\x76\x2F\x31\x01"sv, "an OpenEXR image"},
      {"RIFF"sv, "a RIFF file that holds no WebP image"},
      {"PK\x03\x04"sv, "a zip archive"},
      {"\x1F\x8B"sv, "a gzip file"},
      {"version https://git-lfs"sv, "a Git LFS pointer, not the image itself (run \"git lfs pull\")"},
      {"SIMPLE  ="sv, "a FITS image"},
  }};
  for (const Known& known : kKnown)
    if (starts_with(bytes, known.magic)) return std::string(known.name);
  if (has_brand(bytes, {"heic"sv, "heix"sv, "hevc"sv, "heim"sv, "heis"sv, "mif1"sv, "msf1"sv})) return "a HEIC image";
  if (has_brand(bytes, {"avif"sv, "avis"sv})) return "an AVIF image";
  if (bytes.size() >= 12 && bytes.substr(4, 4) == "ftyp") return "a video or HEIF file";
  if (bytes.size() > 2 && bytes[0] == 'P' && bytes[1] >= '1' && bytes[1] <= '7') return "a PNM image";

  // Text: a web page or a drawing, after blanks and a byte order mark.
  std::string_view text = bytes.substr(0, 1024);
  if (starts_with(text, "\xEF\xBB\xBF")) text.remove_prefix(3);
  text.remove_prefix(std::min(text.find_first_not_of(" \t\r\n"), text.size()));
  if (text.empty() || text[0] != '<') return {};
  std::string lower(text);
  std::transform(lower.begin(), lower.end(), lower.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
  if (lower.find("<svg") != std::string::npos) return "an SVG drawing";
  if (lower.find("<!doctype html") != std::string::npos || lower.find("<html") != std::string::npos)
    return "a web page (HTML)";
  return "an XML document";
}

std::string format_names() {
  std::vector<std::string> names;
  for (const Codec& codec : codecs()) names.emplace_back(codec.name);
  return join_some(names, names.size());
}

[[noreturn]] void fail_unknown(std::string_view bytes) {
  if (bytes.empty()) fail("the file is empty, expected an image");
  const std::string type = known_type(bytes);
  if (!type.empty()) fail("the file is " + type + ", which is not read; expected one of " + format_names());
  fail("the bytes are no image that is read, expected one of " + format_names());
}

}  // namespace

const std::vector<Codec>& codecs() {
  static const std::vector<Codec> kCodecs = {
      {"JPEG", {".jpg", ".jpeg", ".jpe", ".jfif"}, is_jpeg, decode_jpeg},
      {"PNG", {".png", ".apng"}, is_png, decode_png},
      {"WebP", {".webp"}, is_webp, decode_webp},
      {"TIFF", {".tif", ".tiff"}, is_tiff, decode_tiff, true},
      {"GIF", {".gif"}, is_gif, decode_gif},
      {"BMP", {".bmp"}, is_bmp, decode_bmp},
  };
  return kCodecs;
}

std::vector<std::string_view> known_extensions() {
  std::vector<std::string_view> extensions;
  for (const Codec& codec : codecs())
    extensions.insert(extensions.end(), codec.extensions.begin(), codec.extensions.end());
  return extensions;
}

void decode(std::string_view bytes, const std::string& subject, const DecodeOptions& options, Pixels& out) {
  const auto& table = codecs();
  const auto codec = std::find_if(table.begin(), table.end(), [&](const Codec& row) { return row.matches(bytes); });
  try {
    out.exif_orientation = 1;
    out.reduced = 1;
    out.streamed = false;
    out.baseline = false;
    if (codec == table.end()) fail_unknown(bytes);
    codec->decode(bytes, options, out);
    if (options.exif == ExifRule::apply || codec->always_upright) turn_upright(out.exif_orientation, out);
  } catch (const Error& error) {
    out.width = out.height = 0;
    out.data.clear();
    throw Error(error.code(), subject, error.problem());
  } catch (const std::bad_alloc&) {
    out.width = out.height = 0;
    out.data = {};
    out.scratch = {};
    throw Error(ErrorCode::limit_exceeded, subject, "there is not enough memory to decode this image");
  }
}

void fail(const std::string& problem) { throw Error(ErrorCode::bad_image, "", problem); }

std::string size_text(std::uint64_t width, std::uint64_t height) {
  return std::to_string(width) + " x " + std::to_string(height);
}

void check_size(std::uint64_t width, std::uint64_t height, const DecodeLimits& limits) {
  if (width == 0 || height == 0) fail("the image is " + size_text(width, height) + " pixels; it holds no picture");
  const auto side = static_cast<std::uint64_t>(limits.side);
  if (width > side || height > side)
    throw Error(ErrorCode::limit_exceeded, "",
                "the image is " + size_text(width, height) + " pixels, expected at most " + std::to_string(side) +
                    " on a side");
  // Both sides are below 2^31 here, so the product cannot overflow.
  if (width * height > limits.pixels)
    throw Error(ErrorCode::limit_exceeded, "",
                "the image has " + size_text(width, height) + " = " + std::to_string(width * height) +
                    " pixels, expected at most " + std::to_string(limits.pixels) +
                    "; raise the limit to read it: --max-image-pixels, max_image_pixels");
}

std::uint8_t* prepare(Pixels& out, std::uint64_t width, std::uint64_t height, const DecodeLimits& limits, bool zeroed) {
  check_size(width, height, limits);
  const auto size = static_cast<std::size_t>(width * height * 3);
  if (zeroed)
    out.data.assign(size, 0);
  else
    out.data.resize(size);
  out.width = static_cast<int>(width);
  out.height = static_cast<int>(height);
  return out.data.data();
}

void grey_to_rgb(const std::uint8_t* grey, std::size_t count, std::uint8_t* rgb) {
  for (std::size_t i = 0; i < count; ++i) rgb[i * 3] = rgb[i * 3 + 1] = rgb[i * 3 + 2] = grey[i];
}

void rgba_to_rgb(const std::uint8_t* rgba, std::size_t count, std::uint8_t* rgb) {
  for (std::size_t i = 0; i < count; ++i) {
    rgb[i * 3] = rgba[i * 4];
    rgb[i * 3 + 1] = rgba[i * 4 + 1];
    rgb[i * 3 + 2] = rgba[i * 4 + 2];
  }
}

void cmyk_to_rgb(const std::uint8_t* cmyk, std::size_t count, bool inverted, std::uint8_t* rgb) {
  const unsigned flip = inverted ? 255U : 0U;
  for (std::size_t i = 0; i < count; ++i) {
    const int white = 255 - static_cast<int>(cmyk[i * 4 + 3] ^ flip);
    for (std::size_t c = 0; c < 3; ++c) {
      // Rounded ink * white / 255, as Pillow's MULDIV255.
      const int product = static_cast<int>(cmyk[i * 4 + c] ^ flip) * white + 128;
      rgb[i * 3 + c] = static_cast<std::uint8_t>(std::max(white - (((product >> 8) + product) >> 8), 0));
    }
  }
}

}  // namespace ptrun::image
