#pragma once

#include <string>

#include "image/image.h"
#include "ptrun/predictor.h"

namespace ptrun {

// The caller's pixels as the decoder would have given them: RGB, alpha dropped, grey on all channels. Throws bad_image
// naming `subject` for a view without data, with sides outside 1..limits.side, more pixels than the limit, or rows
// shorter than the width.
void copy_pixels(const ImageView& view, const std::string& subject, const image::DecodeLimits& limits,
                 image::Pixels& out);

}  // namespace ptrun
