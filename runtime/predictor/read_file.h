#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace ptrun {

// The bytes of the regular file `path`, read into `buffer`, which only grows; valid until the next call. Throws
// not_found naming what stands there instead (missing, folder, FIFO, socket, device) or the system's reason,
// limit_exceeded for more than `max_bytes`, before anything is allocated for them.
std::string_view read_file(const std::string& path, std::uint64_t max_bytes, std::vector<char>& buffer);

}  // namespace ptrun
