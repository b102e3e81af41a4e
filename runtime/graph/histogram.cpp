#include "graph/histogram.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <iterator>

namespace ptrun::jit {

void Histogram::widen(float magnitude) {
  if (limit_ == 0) {
    // A power of two, so that the bins of all images are the same however they come.
    limit_ = std::ldexp(1.0F, std::ilogb(magnitude) + 1);
    return;
  }
  while (magnitude >= limit_) {
    std::vector<std::uint64_t> merged(kBins);
    for (std::size_t i = 0; i < kBins; ++i) merged[kBins / 4 + i / 2] += counts_[i];
    counts_ = std::move(merged);
    limit_ *= 2;
  }
}

namespace {

struct Extremes {
  float low = INFINITY;
  float high = -INFINITY;
};

// Side by side, so that the compiler takes vectors; a value that is no number is less than nothing.
Extremes extremes_of(const float* values, std::size_t count) {
  constexpr std::size_t kLanes = 16;
  std::array<float, kLanes> low{};
  std::array<float, kLanes> high{};
  low.fill(INFINITY);
  high.fill(-INFINITY);
  std::size_t at = 0;
  for (; at + kLanes <= count; at += kLanes) {
    for (std::size_t j = 0; j < kLanes; ++j) {
      low[j] = values[at + j] < low[j] ? values[at + j] : low[j];
      high[j] = values[at + j] > high[j] ? values[at + j] : high[j];
    }
  }
  Extremes found;
  for (std::size_t j = 0; j < kLanes; ++j) {
    found.low = std::min(found.low, low[j]);
    found.high = std::max(found.high, high[j]);
  }
  for (; at < count; ++at) {
    found.low = values[at] < found.low ? values[at] : found.low;
    found.high = values[at] > found.high ? values[at] : found.high;
  }
  return found;
}

bool all_finite(const float* values, std::size_t count) {
  // 0 times an infinity or no number is no number.
  std::array<float, 16> sums{};
  std::size_t at = 0;
  for (; at + sums.size() <= count; at += sums.size()) {
    for (std::size_t j = 0; j < sums.size(); ++j) sums[j] += values[at + j] * 0;
  }
  for (; at < count; ++at) sums[0] += values[at] * 0;
  return std::all_of(sums.begin(), sums.end(), [](float sum) { return sum == 0; });
}

}  // namespace

void Histogram::add(const float* values, std::size_t count) {
  if (all_finite(values, count)) {
    add_finite(values, count);
    return;
  }
  std::vector<float> finite;
  std::copy_if(values, values + count, std::back_inserter(finite), [](float value) { return std::isfinite(value); });
  add_finite(finite.data(), finite.size());
}

void Histogram::add_finite(const float* values, std::size_t count) {
  if (count == 0) return;
  const Extremes found = extremes_of(values, count);
  minimum_ = total_ == 0 ? found.low : std::min(minimum_, found.low);
  maximum_ = total_ == 0 ? found.high : std::max(maximum_, found.high);
  const float magnitude = std::min(std::max(-found.low, found.high), 1e37F);
  if (magnitude >= limit_ && magnitude > 0) widen(magnitude);
  const float scale = limit_ == 0 ? 0 : static_cast<float>(kBins / 2) / limit_;
  constexpr auto kLast = static_cast<float>(kBins - 1);
  // Many values in a row are zeros: counted in turns, they do not wait for each other.
  constexpr std::size_t kTurns = 4;
  std::vector<std::uint32_t> turns(kTurns * kBins);
  std::array<std::int32_t, 256> places{};
  for (std::size_t begin = 0; begin < count; begin += places.size()) {
    const std::size_t size = std::min(places.size(), count - begin);
    for (std::size_t i = 0; i < size; ++i) {
      const float place = values[begin + i] * scale + static_cast<float>(kBins / 2);
      places[i] = static_cast<std::int32_t>(std::min(std::max(place, 0.0F), kLast));
    }
    for (std::size_t i = 0; i < size; ++i) {
      ++turns[(i % kTurns) * kBins + static_cast<std::size_t>(places[i])];
    }
  }
  for (std::size_t i = 0; i < turns.size(); ++i) counts_[i % kBins] += turns[i];
  total_ += count;
}

float Histogram::quantile(double share) const {
  if (total_ == 0) return 0;
  if (limit_ == 0) return minimum_;
  // Of sorted values the one at this place, from 0, as numpy counts.
  const double place = std::clamp(share, 0.0, 1.0) * static_cast<double>(total_ - 1);
  double before = 0;
  const double width = limit_ / (kBins / 2.0);
  for (std::size_t i = 0; i < kBins; ++i) {
    const auto count = static_cast<double>(counts_[i]);
    if (before + count > place) {
      const double inside = (place - before + 0.5) / count;
      const double value = -limit_ + width * (static_cast<double>(i) + inside);
      return std::clamp(static_cast<float>(value), minimum_, maximum_);
    }
    before += count;
  }
  return maximum_;
}

}  // namespace ptrun::jit
