// What LibTorch says of itself, as one of another version does: found before LibTorch's own by who looks in the global
// scope first.
#include <string>

namespace at {
__attribute__((visibility("default"))) std::string show_config();
std::string show_config() { return "PyTorch built with:\n  - Build settings: TORCH_VERSION=1.2.3, USE_CUDA=0"; }
}  // namespace at
