// A package's shared library opened and run. LibTorch's runner checks nothing that goes into it; here everything is.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "graph/module.h"
#include "loader/native_package/package.h"
#include "ptrun/signature.h"

namespace ptrun::native {

// Extracts the package's files to a folder of their own (mode 0700), opens the library, which runs its code, and
// removes the folder again, also when that fails. `inputs` say what run() accepts. Throws unsupported naming
// LibTorch's reason, output_failed when the folder cannot be written.
std::shared_ptr<const NativeProgram> open_program(const Package& package, std::vector<TensorSpec> inputs);

}  // namespace ptrun::native
