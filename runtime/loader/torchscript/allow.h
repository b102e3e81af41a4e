// Which operators a TorchScript program may use. A seat belt, not a sandbox: names that image models use are allowed,
// everything else is refused before the first run; what is known to be dangerous has a reason of its own.
// Links no LibTorch.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace ptrun::torchscript {

// True when operator `name` ("aten::conv2d", "prim::If", "torchvision::nms"; without overload) may run. An in-place
// form ("aten::relu_") is allowed where its plain form is. Any thread.
bool is_allowed(std::string_view name);

// True when some namespace has an allowed operator of this bare name ("relu" for a call written x.relu()).
bool is_allowed_method(std::string_view bare_name);

// Why `name` is refused, as the middle of a sentence ("writes files"); empty for one that is merely unknown.
std::string_view refusal_reason(std::string_view name);

// Every allowed name, for tests and documentation.
std::vector<std::string> allowed_operators();

}  // namespace ptrun::torchscript
