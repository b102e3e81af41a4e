#include "kernels/kernels.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdlib>
#include <cstring>

namespace ptrun::kernels {

extern const Loops kPlainFloat32;
extern const Loops kPlainBfloat16;
extern const Loops kPlainInt16;
#if defined(__x86_64__)
extern const Set kAmx;
extern const Set kAvx512Bf16;
extern const Set kAvx512Vnni;
extern const Set kAvx512;
extern const Set kAvx2;
#endif

namespace {

template <typename E>
void pack(const E* weights, std::size_t columns, std::size_t depth, std::size_t panel, E* packed) {
  constexpr std::size_t kPair = 4 / sizeof(E);
  const std::size_t steps = depth / kPair;
  for (std::size_t first = 0; first < columns; first += panel) {
    const std::size_t width = panel_width(columns, first, panel);
    for (std::size_t step = 0; step < steps; ++step) {
      for (std::size_t column = first; column < first + width; ++column) {
        for (std::size_t i = 0; i < kPair; ++i) {
          *packed++ = column < columns ? weights[column * depth + step * kPair + i] : E{};
        }
      }
    }
  }
}

// Whole vectors of floats.
constexpr std::size_t whole(std::size_t floats) { return (floats + 15) / 16 * 16; }

}  // namespace

AttentionRoom::AttentionRoom(const Attention& a, std::size_t element_size)
    : row(whole(a.key_count)),
      scores(kProductScratch),
      shares(scores + kAttentionRows * row),
      keys(shares + whole(kAttentionRows * row * element_size / 4)),
      values(keys + whole(row * a.width * element_size / 4)),
      zeros(values + whole(whole(a.width) * (a.key_count + 1) * element_size / 4)),
      zero_count(whole(std::max(a.key_count, a.width))),
      size(zeros + zero_count) {
  // Tiles begin with a line of the cache.
  constexpr std::size_t kTile = 256, kLine = 16;
  const std::size_t parts = element_size == 2 ? 1 : 3;
  size = std::max(size, AttentionTiles(a, parts).size * kTile + kLine);
}

AttentionTiles::AttentionTiles(const Attention& a, std::size_t parts)
    : key_steps((a.key_count + 31) / 32),
      depth_steps((a.width + 31) / 32),
      scores(0),
      shares(scores + 4 * key_steps),
      queries(shares + 2 * key_steps * parts),
      keys(queries + 2 * depth_steps * parts),
      values(keys + 2 * key_steps * depth_steps * parts),
      sums(values + 2 * key_steps * depth_steps * parts),
      size(sums + 4) {}

const std::vector<Set>& sets() {
  static const std::vector<Set> kSets = {
#if defined(__x86_64__)
    kAmx,
    kAvx512Bf16,
    kAvx512Vnni,
    kAvx512,
    kAvx2,
#endif
    {"plain", [] { return true; }, &kPlainFloat32, &kPlainBfloat16, &kPlainInt16},
  };
  return kSets;
}

const Loops* best_loops(Element element) {
  const auto of = [element](const Set& set) {
    return element == Element::float32 ? set.float32 : element == Element::bfloat16 ? set.bfloat16 : set.int16;
  };
  const char* wanted = std::getenv("PTRUN_KERNELS");
  for (const Set& set : sets()) {
    if (wanted != nullptr && set.name == wanted && set.usable() && of(set) != nullptr) return of(set);
  }
  return of(
      *std::find_if(sets().begin(), sets().end(), [&](const Set& set) { return of(set) != nullptr && set.usable(); }));
}

void quantise_weights(const float* weights, std::size_t columns, std::size_t depth, std::int16_t* integers,
                      float* scales, float largest_integer) {
  constexpr float kSum = 524000;  // times kLargestInteger is less than 2^31, with room for rounding
  for (std::size_t column = 0; column < columns; ++column) {
    const float* row = weights + column * depth;
    float sum = 0;
    float largest = 0;
    for (std::size_t k = 0; k < depth; ++k) {
      sum += std::abs(row[k]);
      largest = std::max(largest, std::abs(row[k]));
    }
    // Rounding adds up to a half for each weight.
    const float room = kSum - static_cast<float>(depth);
    const float scale = std::max(sum / room, largest / largest_integer);
    scales[column] = scale;
    for (std::size_t k = 0; k < depth; ++k) {
      const bool usable = std::isfinite(scale) && scale > 0;
      integers[column * depth + k] = usable ? static_cast<std::int16_t>(std::lround(row[k] / scale)) : std::int16_t{0};
    }
  }
}

void pack_weights(const Loops& loops, const void* weights, std::size_t columns, std::size_t depth, void* packed) {
  if (loops.element == Element::float32) {
    pack(static_cast<const float*>(weights), columns, depth, loops.panel, static_cast<float*>(packed));
  } else {
    pack(static_cast<const std::uint16_t*>(weights), columns, depth, loops.panel, static_cast<std::uint16_t*>(packed));
  }
}

void scale_weights(const Loops& loops, const void* packed, const void* gate, std::size_t columns, std::size_t depth,
                   void* out) {
  // What is multiplied in one step, a float or two bfloat16, is four bytes.
  const std::size_t element = loops.element == Element::float32 ? 4 : 2;
  const std::size_t steps = depth * element / 4;
  auto* to = static_cast<char*>(out);
  for (std::size_t first = 0; first < columns; first += loops.panel) {
    const std::size_t width = panel_width(columns, first, loops.panel);
    for (std::size_t step = 0; step < steps; ++step, to += 4 * width) {
      std::uint32_t factors = 0;
      std::memcpy(&factors, static_cast<const char*>(gate) + 4 * step, 4);
      std::array<std::uint32_t, kLargestPanel> spread{};
      std::fill_n(spread.begin(), width, factors);
      std::memcpy(to, spread.data(), 4 * width);
    }
  }
  loops.scale(packed, out, 1, (columns + 7) / 8 * 8 * depth, out);
}

}  // namespace ptrun::kernels
