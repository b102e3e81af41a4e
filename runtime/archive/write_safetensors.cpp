// safetensors: header with every offset, then the tensors (huggingface/safetensors/src/tensor.rs:serialize).
#include <algorithm>
#include <nlohmann/json.hpp>

#include "archive/dense_tensors.h"
#include "archive/dtypes.h"
#include "archive/fail.h"
#include "archive/write_weights.h"

namespace ptrun::archive {
namespace {

struct Item {
  const WeightTable::Entry* entry;
  const DTypeInfo* type;
  std::uint64_t bytes;
  bool quantized;
};

Item item_of(const WeightsToWrite& weights, const DenseTensors& tensors, const WeightTable::Entry& entry) {
  const TensorInfo& tensor = weights.file.tensors().at(entry.tensor);
  Item item{&entry, &info(tensor.dtype), tensors.size(entry.tensor, entry.name), false};
  item.quantized = tensor.layout != TensorLayout::strided;
  if (item.quantized) {
    item.bytes = item.bytes / item.type->bytes * sizeof(float);
    item.type = &info(DType::float32);
  }
  if (item.type->safetensors.empty()) {
    fail(ErrorCode::unsupported, weights.file.source().name(), "tensor ", in_quotes(entry.name), " has dtype ",
         item.type->name, ", which safetensors cannot hold; convert to a .pt file");
  }
  return item;
}

}  // namespace

void write_safetensors(const WeightsToWrite& weights, const ByteSink& sink) {
  DenseTensors tensors(weights.file);
  std::vector<Item> items;
  for (const WeightTable::Entry& entry : weights.table.entries()) items.push_back(item_of(weights, tensors, entry));
  // Wide types first, so that every tensor begins at a multiple of its element size.
  std::stable_sort(items.begin(), items.end(),
                   [](const Item& a, const Item& b) { return a.type->bytes > b.type->bytes; });
  nlohmann::ordered_json header;
  header["__metadata__"]["format"] = "pt";
  if (!weights.facts.empty()) header["__metadata__"][std::string(kFactsKey)] = weights.facts;
  std::uint64_t at = 0;
  for (const Item& item : items) {
    if (!is_utf8(item.entry->name)) {
      fail(ErrorCode::unsupported, weights.file.source().name(), "tensor ", in_quotes(item.entry->name),
           " has a name that is not UTF-8, which safetensors cannot hold; convert to a .pt file");
    }
    if (item.entry->name == "__metadata__") {
      fail(ErrorCode::unsupported, weights.file.source().name(),
           "a tensor is named __metadata__, which safetensors keeps for itself; convert to a .pt file");
    }
    nlohmann::ordered_json row;
    row["dtype"] = item.type->safetensors;
    row["shape"] = item.entry->shape;
    row["data_offsets"] = {at, at + item.bytes};
    // Names are unique; a lookup for each would make a million of them slow.
    header.get_ref<nlohmann::ordered_json::object_t&>().push_back({item.entry->name, std::move(row)});
    at += item.bytes;
  }
  std::string text = header.dump();
  text.resize((text.size() + 7) / 8 * 8, ' ');
  if (text.size() > weights.file.limits().safetensors_header_bytes) {
    fail_limit(weights.file.source().name(), "the names of its tensors make a header of more than ",
               weights.file.limits().safetensors_header_bytes, " bytes");
  }
  std::string length;
  for (unsigned i = 0; i < 8; ++i)
    length.push_back(static_cast<char>(static_cast<std::uint64_t>(text.size()) >> (8U * i)));
  sink(length);
  sink(text);
  for (const Item& item : items) {
    const WeightTable::Entry& entry = *item.entry;
    sink(item.quantized ? tensors.dequantized(entry.tensor, entry.name) : tensors.read(entry.tensor, entry.name));
  }
}

}  // namespace ptrun::archive
