// Parameters from their names, the same numbers as scripts/fixtures/golden_networks_common.py makes: a test of a
// network holds only the expected outputs.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace at {
class Tensor;
}

namespace ptrun::testing {

// The tensor called `name`; the rule is in golden_networks_common.py. int64 for num_batches_tracked, else float32.
at::Tensor named_values(const std::string& name, const std::vector<std::int64_t>& shape, double gain = 1);

}  // namespace ptrun::testing
