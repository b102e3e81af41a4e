// Weights in several files behind one index: model.safetensors.index.json, pytorch_model.bin.index.json
// (huggingface/transformers: {"metadata": {...}, "weight_map": {"tensor name": "file name"}}).
#pragma once

#include <memory>
#include <string_view>

#include "archive/tensor_file.h"

namespace ptrun::archive {

// True for the beginning of a JSON text that is such an index.
bool looks_like_shard_index(std::string_view head);

// The index and its shards, which lie in the folder of the index or below it (links are followed, as the cache of
// Hugging Face needs them; ".." and absolute names are refused). Every tensor of the index has to be in the shard
// that it names. Throws bad_model naming the missing shard or tensor, unsupported, limit_exceeded.
std::shared_ptr<const TensorFile> open_sharded(std::shared_ptr<const ByteSource> source, const Limits& limits);

}  // namespace ptrun::archive
