// Outcomes of thousands of photos stay in memory: what is large of them does so up to a budget.
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

  // Maps, pictures and raw outputs whose values are too many for a row stay while they fit the budget; later ones go.
  void lighten(ptrun::Outcome& outcome);
  void forget() { kept_ = 0; }

  // True for a prediction whose raw outputs lighten() let go.
  static bool lacks_values(const ptrun::Prediction& prediction);

 private:
  const std::size_t budget_;
  std::atomic<std::size_t> kept_ = 0;
};

}  // namespace desktop
