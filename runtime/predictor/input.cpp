#include "predictor/input.h"

#include "core/text.h"
#include "predictor/pixels.h"
#include "predictor/read_file.h"
#include "preprocess/preprocess.h"
#include "ptrun/error.h"

namespace ptrun {

std::string subject_of(const Input& input) {
  if (!input.path.empty()) return printable(input.path, 4096);
  return input.name.empty() ? "image" : printable(input.name, 4096);
}

image::DecodeOptions decode_options(const PredictOptions& options, const Preset& preset) {
  image::DecodeOptions decode;
  decode.limits.pixels = options.max_image_pixels;
  decode.exif = preset.exif;
  decode.color = preset.color;
  decode.region = [&preset](int width, int height) { return source_region(width, height, preset); };
  if (options.fast_decode) {
    decode.reduction = [&preset](int width, int height) { return reduction(width, height, preset); };
  }
  return decode;
}

std::string_view encoded_bytes(const Input& input, const std::string& subject, std::uint64_t max_bytes,
                               std::vector<char>& buffer) {
  const bool pixels = input.pixels.data != nullptr;
  const int given = (input.path.empty() ? 0 : 1) + (input.bytes ? 1 : 0) + (pixels ? 1 : 0);
  if (given != 1) {
    throw Error(ErrorCode::invalid_argument, subject,
                std::to_string(given) + " of path, bytes and pixels were given, expected one");
  }
  if (pixels) return {};
  if (!input.bytes) return read_file(input.path, max_bytes, buffer);
  if (input.bytes->size() > max_bytes) {
    throw Error(ErrorCode::limit_exceeded, subject,
                human_bytes(input.bytes->size()) + " were given, the limit is " + human_bytes(max_bytes) +
                    " (max_image_bytes)");
  }
  return *input.bytes;
}

void decode_input(const Input& input, std::string_view bytes, const std::string& subject,
                  const image::DecodeOptions& options, image::Pixels& pixels) {
  if (input.pixels.data != nullptr) {
    copy_pixels(input.pixels, subject, options.limits, pixels);
  } else {
    image::decode(bytes, subject, options, pixels);
  }
}

}  // namespace ptrun
