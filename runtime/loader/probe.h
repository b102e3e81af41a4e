// What a graph gives, found out by running it on one made-up image.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "graph/module.h"

namespace ptrun {

struct ProbeResult {
  bool ran = false;
  int size = 0;                                    // height and width that it ran with
  bool fixed_size = false;                         // it did not run with the first size tried
  std::vector<std::vector<std::int64_t>> outputs;  // shapes for a batch of one; empty when it never ran
  std::string failure;                             // of the first size, one line
};

// Runs `module` on an image [1, channels, S, S] for the first S of `sizes` that works. Never throws for a graph that
// fails.
ProbeResult probe_graph(const GraphModule& module, std::int64_t channels, const std::vector<int>& sizes);

}  // namespace ptrun
