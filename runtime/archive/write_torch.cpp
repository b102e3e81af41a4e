// torch.save's zip: data.pkl, then one record a storage (torch/serialization.py:_save).
#include <bit>
#include <map>
#include <tuple>

#include "archive/dense_tensors.h"
#include "archive/dtypes.h"
#include "archive/fail.h"
#include "archive/write_weights.h"

namespace ptrun::archive {
namespace {

constexpr std::size_t kAlignment = 64;
constexpr std::string_view kFolder = "archive/";
constexpr std::size_t kMaxPickle = 1U << 30U;  // what Limits::pickle_bytes lets in again

// Protocol 2, no memo: torch/_weights_only_unpickler.py takes each of these opcodes.
class PickleOut {
 public:
  PickleOut& raw(std::string_view bytes) {
    bytes_ += bytes;
    return *this;
  }
  PickleOut& number(std::uint64_t value, std::size_t count) {
    for (std::size_t i = 0; i < count; ++i) bytes_.push_back(static_cast<char>(value >> (8U * i)));
    return *this;
  }
  PickleOut& global(std::string_view module, std::string_view name) {
    return raw("c").raw(module).raw("\n").raw(name).raw("\n");
  }
  PickleOut& text(std::string_view value) { return raw("X").number(value.size(), 4).raw(value); }
  PickleOut& integer(std::int64_t value) {
    const auto bits = static_cast<std::uint64_t>(value);
    if (value >= INT32_MIN && value <= INT32_MAX) return raw("J").number(bits, 4);
    return raw("\x8A\x08").number(bits, 8);
  }
  PickleOut& real(double value) {
    const auto bits = std::bit_cast<std::uint64_t>(value);
    raw("G");
    for (unsigned i = 8; i-- > 0;) bytes_.push_back(static_cast<char>(bits >> (8U * i)));
    return *this;
  }
  PickleOut& sizes(const std::vector<std::int64_t>& values) {
    raw("(");
    for (const std::int64_t value : values) integer(value);
    return raw("t");
  }
  PickleOut& ordered_dict() { return global("collections", "OrderedDict").raw(")R"); }
  const std::string& bytes() const { return bytes_; }

 private:
  std::string bytes_;
};

std::vector<std::int64_t> row_major(const std::vector<std::int64_t>& shape) {
  std::vector<std::int64_t> strides(shape.size());
  std::int64_t stride = 1;
  for (std::size_t i = shape.size(); i-- > 0;) {
    strides[i] = stride;
    stride *= std::max<std::int64_t>(shape[i], 1);
  }
  return strides;
}

class TorchZipWriter {
 public:
  explicit TorchZipWriter(const WeightsToWrite& weights) : weights_(weights), tensors_(weights.file) {}

  void write(const ByteSink& sink) {
    pickle_.raw("\x80\x02").ordered_dict().raw("(");
    for (const WeightTable::Entry& entry : weights_.table.entries()) {
      pickle_.text(entry.name);
      add_tensor(entry.tensor, entry.name);
      if (pickle_.bytes().size() > kMaxPickle) {
        fail_limit(weights_.file.source().name(), "the names of its tensors take more than ", kMaxPickle, " bytes");
      }
    }
    pickle_.raw("u.");
    ZipWriter zip(sink, kAlignment);
    add(zip, "data.pkl", pickle_.bytes());
    add(zip, ".format_version", "1");
    add(zip, ".storage_alignment", std::to_string(kAlignment));
    add(zip, "byteorder", std::endian::native == std::endian::little ? "little" : "big");
    for (std::size_t i = 0; i < records_.size(); ++i) {
      const std::string bytes = tensors_.read(records_[i].tensor, records_[i].name);
      zip.begin(text_of(kFolder, "data/", i), bytes.size());
      zip.write(bytes);
      zip.end();
    }
    if (!weights_.facts.empty()) add(zip, kFactsRecord, weights_.facts);
    add(zip, "version", "3\n");
    zip.finish();
  }

 private:
  struct Record {
    std::size_t tensor;
    std::string name;
  };
  // What makes two tensors one: the same elements, in the same order, of the same type and sign.
  using Identity =
      std::tuple<std::size_t, std::int64_t, std::vector<std::int64_t>, std::vector<std::int64_t>, DType, bool, bool>;

  static void add(ZipWriter& zip, std::string_view name, std::string_view bytes) {
    zip.add(text_of(kFolder, name), bytes);
  }

  std::size_t record_of(std::size_t index, const std::string& name) {
    const TensorInfo& tensor = weights_.file.tensors().at(index);
    const auto [known, fresh] = keys_.emplace(Identity{tensor.storage, tensor.offset, tensor.shape, tensor.strides,
                                                       tensor.dtype, tensor.conjugate, tensor.negative},
                                              records_.size());
    if (fresh) records_.push_back({index, name});
    return known->second;
  }

  void add_tensor(std::size_t index, const std::string& name) {
    const std::uint64_t bytes = tensors_.size(index, name);
    const TensorInfo& tensor = weights_.file.tensors().at(index);
    const DTypeInfo& type = info(tensor.dtype);
    const bool quantized = tensor.layout != TensorLayout::strided;
    const bool untyped = type.storage.empty();
    const auto elements = static_cast<std::int64_t>(bytes / type.bytes);
    const std::size_t key = record_of(index, name);
    pickle_.global("torch._utils", quantized ? "_rebuild_qtensor"
                                   : untyped ? "_rebuild_tensor_v3"
                                             : "_rebuild_tensor_v2");
    pickle_.raw("((").text("storage");
    if (untyped) {
      pickle_.global("torch.storage", "UntypedStorage");
    } else {
      pickle_.global("torch", type.storage);
    }
    pickle_.text(std::to_string(key)).text("cpu").integer(untyped ? static_cast<std::int64_t>(bytes) : elements);
    pickle_.raw("tQ").integer(0).sizes(tensor.shape).sizes(row_major(tensor.shape));
    if (quantized) add_quantizer(tensor, name);
    pickle_.raw("\x89").ordered_dict();
    if (untyped) pickle_.global("torch", type.name);
    pickle_.raw("tR");
  }

  void add_quantizer(const TensorInfo& tensor, const std::string& name) {
    pickle_.raw("(");
    if (tensor.layout == TensorLayout::quantized_per_tensor) {
      pickle_.global("torch", "per_tensor_affine").real(tensor.scale).integer(tensor.zero_point);
    } else {
      if (tensor.scales == kNoTensor) {
        fail(ErrorCode::unsupported, weights_.file.source().name(), "tensor ", in_quotes(name),
             " has its scales as a list, as PyTorch before 1.5 wrote them; convert to .safetensors, which takes "
             "float32");
      }
      pickle_.global("torch", "per_channel_affine");
      add_tensor(tensor.scales, name + " (scales)");
      add_tensor(tensor.zero_points, name + " (zero points)");
      pickle_.integer(tensor.axis);
    }
    pickle_.raw("t");
  }

  const WeightsToWrite& weights_;
  DenseTensors tensors_;
  PickleOut pickle_;
  std::vector<Record> records_;  // by storage key
  std::map<Identity, std::size_t> keys_;
};

}  // namespace

void write_torch_zip(const WeightsToWrite& weights, const ByteSink& sink) { TorchZipWriter(weights).write(sink); }

}  // namespace ptrun::archive
