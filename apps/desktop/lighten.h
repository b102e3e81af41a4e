// Outcomes of thousands of photos stay in memory: what nobody sees of them goes.
#pragma once

#include <atomic>
#include <cstddef>

#include "ptrun/prediction.h"

namespace desktop {

// The budget of one run for parts that grow with the photo. Any thread.
class HeavyParts {
 public:
  // `budget`: bytes.
  explicit HeavyParts(std::size_t budget = std::size_t{1} << 30U) : budget_(budget) {}

  // Lets go what the window does not show and an export leaves out: the values of raw outputs that are too many for a
  // row. Maps and pictures stay while they fit the budget; later ones go.
  void lighten(ptrun::Outcome& outcome);
  void forget() { kept_ = 0; }

 private:
  const std::size_t budget_;
  std::atomic<std::size_t> kept_ = 0;
};

}  // namespace desktop
