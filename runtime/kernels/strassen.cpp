// Weights of Strassen's products, and what they need.
#include <algorithm>
#include <cstdint>

#include "kernels/kernels.h"

namespace ptrun::kernels {
namespace {

// The seven combinations of the quarters of two panels, their depth halved, for each part of the depth.
template <typename E>
void pack_parts(const E* weights, std::size_t columns, std::size_t depth, std::size_t panel, E* packed) {
  constexpr std::size_t kPair = 4 / sizeof(E);
  const std::size_t most = StrassenChunks(depth, sizeof(E)).size;
  for (std::size_t begin = 0; begin < depth; begin += most) {
    const std::size_t half = std::min(most, depth - begin) / 2;
    for (std::size_t first = 0; first < columns; first += 2 * panel) {
      for (std::size_t part = 0; part < kStrassenParts; ++part) {
        for (std::size_t step = 0; step < half / kPair; ++step) {
          for (std::size_t column = first; column < first + panel; ++column) {
            for (std::size_t i = 0; i < kPair; ++i) {
              const E* b11 = weights + column * depth + begin + step * kPair + i;
              const E* b12 = b11 + panel * depth;
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

}  // namespace

StrassenChunks::StrassenChunks(std::size_t depth, std::size_t element_size) {
  const std::size_t most = kStrassenDepth * sizeof(float) / element_size;
  const std::size_t count = (depth + most - 1) / most;
  size = std::min(most, (depth / count + 3) / 4 * 4);
  // Rows a multiple of 4096 bytes apart would share places of the first cache.
  stride = ((size / 2 * element_size + 63) / 64 * 64 + 64) / element_size;
}

bool has_strassen(const Loops& loops, std::size_t columns, std::size_t depth) {
  return loops.strassen != nullptr && columns % (2 * loops.panel) == 0 && depth % 4 == 0;
}

std::size_t strassen_scratch(const Loops& loops, std::size_t row_count, std::size_t depth) {
  const std::size_t element_size = loops.element == Element::float32 ? sizeof(float) : sizeof(std::int16_t);
  // The upper one of a pair of tiles has a row more where their rows are odd.
  const std::size_t rows = std::min(row_count, kStrassenRows);
  const std::size_t upper = rows / 2 + rows / kStrassenShort + 1;
  const std::size_t combined = kStrassenParts * upper * StrassenChunks(depth, element_size).stride;
  return kStrassenPair * 2 * loops.panel + (combined * element_size + sizeof(float) - 1) / sizeof(float);
}

void pack_strassen(const Loops& loops, const void* weights, std::size_t columns, std::size_t depth, void* packed) {
  if (loops.element == Element::float32) {
    pack_parts(static_cast<const float*>(weights), columns, depth, loops.panel, static_cast<float*>(packed));
  } else {
    pack_parts(static_cast<const std::int16_t*>(weights), columns, depth, loops.panel,
               static_cast<std::int16_t*>(packed));
  }
}

}  // namespace ptrun::kernels
