// How often values of which size occurred, in memory that does not grow.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace ptrun::jit {

// Counts in bins of one width around zero; where a value lies outside, the width doubles and neighbours are merged, so
// a bin is never wider than a 2048th of the largest magnitude. Values that are not finite are left out.
class Histogram {
 public:
  void add(const float* values, std::size_t count);

  bool empty() const { return total_ == 0; }
  float minimum() const { return minimum_; }
  float maximum() const { return maximum_; }
  // The value that `share` (0..1) of all values lie below, right to the width of a bin and never outside what occurred;
  // numpy.percentile(values, 100 * share) has no bins. 0 where nothing was counted.
  float quantile(double share) const;

 private:
  static constexpr std::size_t kBins = 8192;
  void add_finite(const float* values, std::size_t count);
  void widen(float magnitude);

  std::vector<std::uint64_t> counts_ = std::vector<std::uint64_t>(kBins);
  float limit_ = 0;  // bins reach from -limit_ to limit_; 0: nothing but zeros so far
  std::uint64_t total_ = 0;
  float minimum_ = 0;
  float maximum_ = 0;
};

}  // namespace ptrun::jit
