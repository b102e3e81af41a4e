// The EXIF orientation: found by a small bounded reader, and undone.
#pragma once

#include <string_view>

#include "image/image.h"

namespace ptrun::image {

// The orientation tag (274) in the first directory of an EXIF block ("Exif\0\0" allowed in front), 1..8 (1 for a value
// that means nothing), or 0 when the block has none or is malformed: a bad block does not spoil the picture.
int exif_orientation(std::string_view block);

// The orientation in an XMP packet (tiff:Orientation), or 0. Pillow looks here when EXIF has none.
int xmp_orientation(std::string_view packet);

// Pillow's order: EXIF, then XMP; 1 when neither says anything.
int find_orientation(std::string_view exif, std::string_view xmp);

// Turns the pixels upright as Pillow's ImageOps.exif_transpose does.
void turn_upright(int orientation, Pixels& pixels);

}  // namespace ptrun::image
