#pragma once

#include <string_view>

namespace ptrun::job {

// True when `a` stands before `b` in natural order: runs of digits compare by value (img2 before img10), everything
// else by bytes with ASCII letters in any case alike; what is equal then compares by bytes, so the order is total.
// Independent of the process's locale.
bool natural_less(std::string_view a, std::string_view b);

}  // namespace ptrun::job
