// Counts, rates and stages as the commands' reports write them.
#pragma once

#include <array>
#include <cstdio>
#include <string>
#include <utility>

#include "ptrun/predictor.h"

namespace ptrun::tool {

// printf's; at most 127 characters.
template <typename... Values>
std::string format(const char* pattern, Values... values) {
  std::array<char, 128> text{};
  std::snprintf(text.data(), text.size(), pattern, values...);
  return text.data();
}

std::string counted(std::size_t count, const char* noun);  // "1 image", "2 images"

double rate_of(std::size_t images, double seconds);  // images per second, 0 for no time
std::string rate_text(double rate);

using Stages = std::array<std::pair<const char*, double>, 6>;
Stages stages_of(const StageTimes& times);
double sum_of(const Stages& stages);
const std::pair<const char*, double>& largest_of(const Stages& stages);

}  // namespace ptrun::tool
