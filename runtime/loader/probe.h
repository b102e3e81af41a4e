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
  int height = 0;  // that it ran with
  int width = 0;
  bool fixed_size = false;                         // it did not run with the usual size, so its layers ask for this one
  std::vector<std::vector<std::int64_t>> outputs;  // shapes for a batch of one; empty when it never ran
  std::string failure;                             // of the first size, one line
  bool over_limit = false;                         // it never ran, because even a small image took too much
};

// Runs `module` on an image [1, channels, height, width] of the size asked for (0: none was, 224 and other sizes that
// networks are made for, and where a linear layer says how many numbers it wants, the square image that gives as many).
// A run that takes more than 48 MiB is broken off and repeated with a small image, and with 1 GiB only where the layers
// do not fit a small one; any run ends after a minute of processor time. Never throws for a graph that fails.
ProbeResult probe_graph(const GraphModule& module, std::int64_t channels, int height = 0, int width = 0);

}  // namespace ptrun
