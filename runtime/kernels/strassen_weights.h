// Strassen's products: how the depth is cut, what they need, and their weights.
#pragma once

#include <cstddef>

#include "kernels/kernels.h"

namespace ptrun::kernels {

constexpr std::size_t kStrassenParts = 7;
constexpr std::size_t kStrassenPanel = 32;    // columns; panels come in pairs
constexpr std::size_t kStrassenRows = 448;    // of a block
constexpr std::size_t kStrassenPair = 32;     // rows that a pair of tiles takes at most
constexpr std::size_t kStrassenShort = 12;    // and rows that it can take at least
constexpr std::size_t kStrassenDepth = 1024;  // floats of a row that are taken at a time, or twice as many integers

// Parts of the depth, which is a multiple of 4 elements.
struct StrassenChunks {
  StrassenChunks(std::size_t depth, std::size_t element_size);
  std::size_t size;    // elements of the depth
  std::size_t stride;  // from row to row of combined rows
};

// All of it but the product itself, for float32 or int16.
DeepProduct strassen_of(Element element, void (*product)(const Product& product));

}  // namespace ptrun::kernels
