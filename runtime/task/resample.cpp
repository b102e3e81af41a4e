#include "task/resample.h"

#include <algorithm>
#include <cmath>

namespace ptrun {

std::vector<Taps> taps(int from, int in, int out, int start, int count) {
  const float scale = static_cast<float>(in) / static_cast<float>(out);
  std::vector<Taps> all(static_cast<std::size_t>(count));
  for (int i = 0; i < count; ++i) {
    const float place = std::max(scale * (static_cast<float>(start + i) + 0.5F) - 0.5F, 0.0F);
    const int first = std::min(static_cast<int>(place), in - 1);
    const float second = std::clamp(place - static_cast<float>(first), 0.0F, 1.0F);
    all[static_cast<std::size_t>(i)] = {from + first, from + std::min(first + 1, in - 1), 1.0F - second, second};
  }
  return all;
}

Shown shown(int photo, int input, double scale, double offset) {
  Shown side;
  const int first = static_cast<int>(std::lround(offset));
  const int last = static_cast<int>(std::lround(offset + photo * scale));
  side.input_start = std::clamp(first, 0, input);
  side.input_count = std::max(std::clamp(last, 0, input) - side.input_start, 0);
  const auto place = [&](int at) { return std::clamp(static_cast<int>(std::lround((at - offset) / scale)), 0, photo); };
  side.photo_start = first < 0 ? place(side.input_start) : 0;
  const int end = last > input ? place(side.input_start + side.input_count) : photo;
  side.photo_count = std::max(end - side.photo_start, 0);
  return side;
}

}  // namespace ptrun
