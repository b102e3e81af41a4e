#include "kernels/strassen_weights.h"

#include <algorithm>
#include <cstdint>

namespace ptrun::kernels {
namespace {

// The seven combinations of the quarters of two panels, their depth halved, for each part of the depth.
template <typename E>
void pack_parts(const E* weights, std::size_t columns, std::size_t depth, E* packed) {
  constexpr std::size_t kPair = 4 / sizeof(E);
  constexpr std::size_t kPanel = kStrassenPanel;
  const std::size_t most = StrassenChunks(depth, sizeof(E)).size;
  for (std::size_t begin = 0; begin < depth; begin += most) {
    const std::size_t half = std::min(most, depth - begin) / 2;
    for (std::size_t first = 0; first < columns; first += 2 * kPanel) {
      for (std::size_t part = 0; part < kStrassenParts; ++part) {
        for (std::size_t step = 0; step < half / kPair; ++step) {
          for (std::size_t column = first; column < first + kPanel; ++column) {
            for (std::size_t i = 0; i < kPair; ++i) {
              const E* b11 = weights + column * depth + begin + step * kPair + i;
              const E* b12 = b11 + kPanel * depth;
              const E* b21 = b11 + half;
              const E* b22 = b12 + half;
              const auto made = [&] {
                switch (part) {
                  case 0: return *b11 + *b22;
                  case 1: return *b11 + E{};
                  case 2: return *b12 - *b22;
                  case 3: return *b21 - *b11;
                  case 4: return *b22 + E{};
                  case 5: return *b11 + *b12;
                  default: return *b21 + *b22;
                }
              };
              *packed++ = static_cast<E>(made());
            }
          }
        }
      }
    }
  }
}

template <typename E>
void pack(const void* weights, std::size_t columns, std::size_t depth, void* packed) {
  pack_parts(static_cast<const E*>(weights), columns, depth, static_cast<E*>(packed));
}

bool fits(std::size_t columns, std::size_t depth) { return columns % (2 * kStrassenPanel) == 0 && depth % 4 == 0; }

bool pays(std::size_t rows, std::size_t columns, std::size_t depth) {
  return rows >= 48 && columns >= 512 && depth >= 512;
}

template <typename E>
bool waits(std::size_t depth) {
  return StrassenChunks(depth, sizeof(E)).size < depth;
}

std::size_t part_size(std::size_t columns, std::size_t depth) { return columns * depth / 4; }

template <typename E>
std::size_t scratch(std::size_t row_count, std::size_t depth) {
  // The upper one of a pair of tiles has a row more where their rows are odd.
  const std::size_t rows = std::min(row_count, kStrassenRows);
  const std::size_t upper = rows / 2 + rows / kStrassenShort + 1;
  const std::size_t combined = kStrassenParts * upper * StrassenChunks(depth, sizeof(E)).stride;
  return kStrassenPair * 2 * kStrassenPanel + (combined * sizeof(E) + sizeof(float) - 1) / sizeof(float);
}

}  // namespace

StrassenChunks::StrassenChunks(std::size_t depth, std::size_t element_size) {
  const std::size_t most = kStrassenDepth * sizeof(float) / element_size;
  const std::size_t count = (depth + most - 1) / most;
  size = std::min(most, (depth / count + 3) / 4 * 4);
  // Rows a multiple of 4096 bytes apart would share places of the first cache.
  stride = ((size / 2 * element_size + 63) / 64 * 64 + 64) / element_size;
}

DeepProduct strassen_of(Element element, void (*product)(const Product& product)) {
  // Two weights are added.
  constexpr float kLargest = 16383;
  const bool floats = element == Element::float32;
  return {element,
          kStrassenParts,
          2 * kStrassenPanel,
          kStrassenRows,
          kLargest,
          false,
          fits,
          pays,
          floats ? waits<float> : waits<std::int16_t>,
          part_size,
          floats ? scratch<float> : scratch<std::int16_t>,
          floats ? pack<float> : pack<std::int16_t>,
          product};
}

}  // namespace ptrun::kernels
