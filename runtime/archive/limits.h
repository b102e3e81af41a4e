// Every size that a model file may claim, with its limit. Compared before anything is allocated.
#pragma once

#include <cstddef>
#include <cstdint>

namespace ptrun::archive {

struct Limits {
  std::size_t zip_entries = 100'000;
  std::size_t entry_name_bytes = 255;                // PyTorch copies names into 512 bytes, other readers into 256
  std::uint64_t pickle_bytes = 1ULL << 30U;          // data.pkl, or the pickles of a legacy file
  std::size_t pickle_nodes = 5'000'000;              // values in one pickle, about 45 bytes of memory each
  std::size_t pickle_depth = 1000;                   // nesting of containers
  std::uint64_t text_record_bytes = 256ULL << 20U;   // one code/ or JSON record, after inflating
  std::uint64_t program_json_bytes = 128ULL << 20U;  // models/*.json of a .pt2 file, or a weights configuration
  std::size_t json_values = 8'000'000;               // values in one such record, about 40 bytes of memory each
  std::size_t json_depth = 256;                      // nesting of lists and objects in it
  std::uint64_t inflate_ratio = 200;                 // of a record over 1 MiB
  std::uint64_t safetensors_header_bytes = 100'000'000;
  std::size_t tensor_dimensions = 64;
  std::uint64_t tensor_total_bytes = 1ULL << 40U;  // all storages of a file
  std::uint64_t expanded_bytes = 1ULL << 30U;  // tensors that repeat elements of a smaller storage (stride 0), summed
  std::size_t weight_names = 1'000'000;        // dotted names taken out of a module tree, where a module may be shared
};

}  // namespace ptrun::archive
