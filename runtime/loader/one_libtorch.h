// The LibTorch of this process: the one that ptrun was built with, and no second one beside it.
#pragma once

namespace ptrun {

// Two copies mix up their operators, types and allocators; what comes of that is a crash, far from its cause. Throws
// unsupported naming both libraries, or the version that was found instead of ours. Any thread.
void require_one_libtorch();

}  // namespace ptrun
