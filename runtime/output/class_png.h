// Class maps as PNG files.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace ptrun {

// An 8-bit palette PNG whose index is the class, in the colours of the PASCAL VOC palette:
// numpy.array(Image.open(FILE)) is the map. `map` has width * height classes, row by row. Throws output_failed without
// memory.
std::string class_png(const std::vector<std::uint8_t>& map, int width, int height);

}  // namespace ptrun
