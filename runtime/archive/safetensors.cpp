// safetensors: a JSON header and one byte buffer. Rules: huggingface/safetensors README and safetensors/src/tensor.rs.
#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <unordered_set>

#include "archive/dtypes.h"
#include "archive/fail.h"
#include "archive/raw_storages.h"
#include "archive/torch_objects.h"
#include "archive/write_weights.h"

namespace ptrun::archive {
namespace {

constexpr std::size_t kLengthBytes = 8;

struct HeaderEntry {
  std::string name;
  std::string dtype;
  std::vector<std::uint64_t> shape;
  std::vector<std::uint64_t> offsets;
  bool has_dtype = false;
  bool has_shape = false;
  bool has_offsets = false;
};

// Takes the header apart while it is parsed: no tree of foreign JSON is built, and a key that comes twice is seen.
class HeaderHandler final : public nlohmann::json::json_sax_t {
 public:
  HeaderHandler(const std::string& subject, const Limits& limits) : subject_(subject), limits_(limits) {}

  std::vector<HeaderEntry> entries;
  std::vector<std::pair<std::string, std::string>> metadata;

  bool null() override { return wrong("null"); }
  bool boolean(bool) override { return wrong("a boolean"); }
  bool number_integer(number_integer_t) override { return wrong("a negative number"); }
  bool number_float(number_float_t, const string_t&) override { return wrong("a fraction"); }
  bool binary(binary_t&) override { return wrong("binary data"); }

  bool number_unsigned(number_unsigned_t value) override {
    if (place_ != Place::list) return wrong("a number");
    std::vector<std::uint64_t>& list = key_ == "shape" ? entries.back().shape : entries.back().offsets;
    if (list.size() >= limits_.tensor_dimensions) {
      fail_limit(subject_, "the header's ", in_quotes(entries.back().name), " has more dimensions than the limit of ",
                 limits_.tensor_dimensions);
    }
    list.push_back(value);
    return true;
  }

  bool string(string_t& value) override {
    if (place_ == Place::metadata) {
      metadata.emplace_back(key_, value);
      return true;
    }
    if (place_ != Place::entry || key_ != "dtype") return wrong("a text");
    entries.back().dtype = value;
    entries.back().has_dtype = true;
    return true;
  }

  bool start_object(std::size_t) override {
    if (place_ == Place::outside) {
      place_ = Place::top;
      return true;
    }
    if (place_ != Place::top) return wrong("an object");
    fields_.clear();
    if (key_ == "__metadata__") {
      place_ = Place::metadata;
      return true;
    }
    place_ = Place::entry;
    entries.emplace_back().name = key_;
    return true;
  }

  bool end_object() override {
    if (place_ == Place::entry) {
      const HeaderEntry& entry = entries.back();
      if (!entry.has_dtype || !entry.has_shape || !entry.has_offsets || entry.offsets.size() != 2) {
        bad("header entry ", in_quotes(entry.name), " lacks its dtype, shape or two data_offsets");
      }
    }
    place_ = place_ == Place::top ? Place::outside : Place::top;
    return true;
  }

  bool key(string_t& name) override {
    std::unordered_set<std::string>& known = place_ == Place::top ? names_ : fields_;
    if (!known.insert(name).second) bad("header key ", in_quotes(name), " is there twice, expected once");
    if (place_ == Place::entry && name != "dtype" && name != "shape" && name != "data_offsets") {
      bad("header entry ", in_quotes(entries.back().name), " has an unknown field ", in_quotes(name));
    }
    key_ = name;
    return true;
  }

  bool start_array(std::size_t) override {
    if (place_ != Place::entry || (key_ != "shape" && key_ != "data_offsets")) return wrong("a list");
    place_ = Place::list;
    (key_ == "shape" ? entries.back().has_shape : entries.back().has_offsets) = true;
    return true;
  }
  bool end_array() override {
    place_ = Place::entry;
    return true;
  }

  bool parse_error(std::size_t position, const std::string&, const nlohmann::json::exception&) override {
    bad("the header is not JSON at its byte ", position);
  }

 private:
  enum class Place { outside, top, metadata, entry, list };

  template <typename... Parts>
  [[noreturn]] void bad(const Parts&... parts) const {
    fail_bad(subject_, parts..., "; the safetensors file is damaged, download it again");
  }
  bool wrong(const char* what) const { bad("the header holds ", what, " at ", in_quotes(key_), " where none belongs"); }

  const std::string& subject_;
  const Limits& limits_;
  Place place_ = Place::outside;
  std::string key_;
  std::unordered_set<std::string> names_;
  std::unordered_set<std::string> fields_;
};

class SafetensorsFile final : public RawStorageFile {
 public:
  SafetensorsFile(const std::shared_ptr<const ByteSource>& source, const Limits& limits)
      : RawStorageFile(source, Kind::safetensors, limits) {
    const std::uint64_t header_bytes = read_header_length();
    data_begin_ = kLengthBytes + header_bytes;
    HeaderHandler handler(source->name(), limits);
    {
      const std::string header = source->read_string(kLengthBytes, static_cast<std::size_t>(header_bytes));
      if (header.front() != '{') bad("the header does not begin with '{'");
      nlohmann::json::sax_parse(header, &handler);
    }
    for (auto& [name, value] : handler.metadata) {
      if (name == kFactsKey) {
        own_facts_ = std::move(value);
      } else {
        facts_.emplace_back("metadata " + name, std::move(value));
      }
    }
    for (const HeaderEntry& entry : handler.entries) add_tensor(entry);
    check_buffer();
    make_data();
  }

 private:
  template <typename... Parts>
  [[noreturn]] void bad(const Parts&... parts) const {
    fail_bad(source_->name(), parts..., "; the safetensors file is damaged or truncated, download it again");
  }

  std::uint64_t read_header_length() const {
    if (source_->size() < kLengthBytes + 2) bad("a file of ", source_->size(), " bytes has no room for a header");
    std::array<unsigned char, kLengthBytes> raw{};
    source_->read(0, raw.data(), raw.size());
    std::uint64_t length = 0;
    for (std::size_t i = 0; i < raw.size(); ++i) length |= static_cast<std::uint64_t>(raw[i]) << (8U * i);
    if (length > limits_.safetensors_header_bytes) {
      fail_limit(source_->name(), "the header claims ", length, " bytes, the limit is ",
                 limits_.safetensors_header_bytes);
    }
    if (length < 2 || length > source_->size() - kLengthBytes) {
      bad("the header claims ", length, " bytes, the file has ", source_->size() - kLengthBytes, " for it");
    }
    return length;
  }

  void add_tensor(const HeaderEntry& entry) {
    const DTypeInfo* type = dtype_by_safetensors(entry.dtype);
    if (type == nullptr) {
      fail(ErrorCode::unsupported, source_->name(), "tensor ", in_quotes(entry.name), " has dtype ",
           in_quotes(entry.dtype), ", which is not known; convert it to one that PyTorch has");
    }
    TensorInfo tensor;
    tensor.storage = storages_.size();
    tensor.dtype = type->dtype;
    tensor.shape.assign(entry.shape.begin(), entry.shape.end());
    tensor.strides.resize(entry.shape.size());
    std::uint64_t elements = 1;
    std::uint64_t stride = 1;
    bool fits = true;
    for (std::size_t i = entry.shape.size(); i-- > 0;) {
      fits = fits && stride <= static_cast<std::uint64_t>(INT64_MAX) &&
             entry.shape[i] <= static_cast<std::uint64_t>(INT64_MAX) && multiply(elements, entry.shape[i], elements);
      tensor.strides[i] = static_cast<std::int64_t>(stride);
      fits = fits && multiply(stride, std::max<std::uint64_t>(entry.shape[i], 1), stride);
    }
    std::uint64_t bytes = 0;
    fits = fits && multiply(elements, type->bytes, bytes);
    const std::uint64_t begin = entry.offsets[0];
    const std::uint64_t end = entry.offsets[1];
    if (begin > end) bad("tensor ", in_quotes(entry.name), " ends before it begins");
    if (!fits || end - begin != bytes) {
      bad("tensor ", in_quotes(entry.name), " has ", end - begin, " bytes, its shape and dtype need another number");
    }
    if (!holds(data_begin_, end)) {
      bad("tensor ", in_quotes(entry.name), " ends at byte ", end, " of a buffer of ", source_->size() - data_begin_);
    }
    storages_.push_back({.key = entry.name, .dtype = type->dtype, .bytes = bytes, .location = "cpu"});
    offsets_.push_back(data_begin_ + begin);
    tensors_.push_back(std::move(tensor));
  }

  // Tensors fill the buffer without overlap and without holes.
  void check_buffer() const {
    std::vector<std::size_t> order(storages_.size());
    for (std::size_t i = 0; i < order.size(); ++i) order[i] = i;
    std::sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
      return offsets_[a] != offsets_[b] ? offsets_[a] < offsets_[b] : storages_[a].bytes < storages_[b].bytes;
    });
    std::uint64_t at = data_begin_;
    for (const std::size_t index : order) {
      if (offsets_[index] < at) bad("tensor ", in_quotes(storages_[index].key), " overlaps another one");
      if (offsets_[index] > at)
        bad("a hole of ", offsets_[index] - at, " bytes stands before tensor ", in_quotes(storages_[index].key));
      at += storages_[index].bytes;
    }
    if (at != source_->size()) bad(source_->size() - at, " bytes follow the last tensor, expected none");
  }

  void make_data() {
    data_.root = static_cast<NodeId>(data_.nodes.size());
    data_.nodes.emplace_back().type = PickleNode::Type::dict;
    for (std::size_t i = 0; i < storages_.size(); ++i) {
      PickleNode& name = data_.nodes.emplace_back();
      name.type = PickleNode::Type::text;
      name.decoded = true;
      name.range = {static_cast<std::uint32_t>(data_.decoded.size()),
                    static_cast<std::uint32_t>(storages_[i].key.size())};
      data_.decoded += storages_[i].key;
      data_.nodes.emplace_back().type = PickleNode::Type::tensor;
      const auto tensor = static_cast<NodeId>(data_.nodes.size() - 1);
      data_.nodes[data_.root].children.push_back(tensor - 1);
      data_.nodes[data_.root].children.push_back(tensor);
      tensor_nodes_.emplace(tensor, i);
    }
  }

  std::uint64_t data_begin_ = 0;
};

}  // namespace

std::shared_ptr<const TensorFile> open_safetensors(std::shared_ptr<const ByteSource> source, const Limits& limits) {
  return std::make_shared<SafetensorsFile>(source, limits);
}

}  // namespace ptrun::archive
