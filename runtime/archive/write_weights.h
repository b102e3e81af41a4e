// Named weights back into a file, without LibTorch: a state_dict that torch.load(weights_only=True) reads, or
// safetensors. One file per format, in one table (write_weights.cpp).
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "archive/weight_table.h"
#include "archive/write_zip.h"

namespace ptrun::archive {

struct WeightsToWrite {
  const TensorFile& file;
  const WeightTable& table;
  std::string facts;  // ptrun's JSON (labels, preset, task) to travel inside the file, or empty
};

struct WeightFormat {
  std::string_view name;
  std::vector<std::string_view> extensions;  // lower case, with the dot
  // Streams the file; memory is the largest storage and the largest tensor. Throws unsupported naming the tensor that
  // the format cannot hold, what DenseTensors throws, and what the sink throws.
  void (*write)(const WeightsToWrite& weights, const ByteSink& sink);
};
const std::vector<WeightFormat>& weight_formats();
// By the extension of `path` in any case; null when there is none.
const WeightFormat* weight_format_for(std::string_view path);

// torch.save's zip since 1.6 (torch/serialization.py:_save), protocol 2, an OrderedDict; dtypes, quantisation and
// tensors that are one (tied weights) stay what they are. `facts` are the record extra/ptrun.json.
void write_torch_zip(const WeightsToWrite& weights, const ByteSink& sink);
// huggingface/safetensors; quantised tensors become float32, complex128 has no place. `facts` are __metadata__ "ptrun".
void write_safetensors(const WeightsToWrite& weights, const ByteSink& sink);

inline constexpr std::string_view kFactsRecord = "extra/ptrun.json";
inline constexpr std::string_view kFactsKey = "ptrun";

}  // namespace ptrun::archive
