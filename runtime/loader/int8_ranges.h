// MODELFILE.ptrun.int8.json: which values a model's tensors take, as ptrun calibrate found them on real photos.
#pragma once

#include <memory>
#include <string>

#include "graph/ranges.h"
#include "ptrun/model.h"

namespace ptrun {

struct Int8Ranges {
  std::uint64_t fingerprint = 0;  // jit::fingerprint of the model's graph: of no other model
  std::string method;             // "percentile", "minmax"
  std::size_t images = 0;         // that were looked at
  jit::Ranges tensors;
};

// Where the ranges of `model` stand: beside its file, or the file in its folder that it was loaded from.
std::string int8_ranges_path(const Model& model);

// Throws unsupported where there are none or the model is no graph, naming the command that makes them; bad_model for a
// file that is malformed or belongs to another model; limit_exceeded.
std::shared_ptr<const Int8Ranges> read_int8_ranges(const Model& model);

// As it is written to that file; docs/int8.md says its keys. A number is the shortest that reads back the same.
std::string int8_ranges_json(const Int8Ranges& ranges);
// Throws bad_model naming `source`.
Int8Ranges parse_int8_ranges(const std::string& text, const std::string& source);

}  // namespace ptrun
