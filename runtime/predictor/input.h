// From an Input to decoded pixels, the same for every way of asking.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "image/image.h"
#include "ptrun/predictor.h"

namespace ptrun {

// What messages call the input.
std::string subject_of(const Input& input);

// Limits of `options`, colour rule and orientation of `preset`, and the part of the image that `preset` keeps.
// `preset` must outlive the result.
image::DecodeOptions decode_options(const PredictOptions& options, const Preset& preset);

// The encoded bytes: the input's own, or those of its file in `buffer`; none for pixels. Throws invalid_argument unless
// one of path, bytes and pixels is given, limit_exceeded for more than `max_bytes`, and what read_file() throws.
std::string_view encoded_bytes(const Input& input, const std::string& subject, std::uint64_t max_bytes,
                               std::vector<char>& buffer);

// `bytes` decoded, or the input's pixels copied. Throws what image::decode() and copy_pixels() throw.
void decode_input(const Input& input, std::string_view bytes, const std::string& subject,
                  const image::DecodeOptions& options, image::Pixels& pixels);

}  // namespace ptrun
