// torch.save before 1.6: five pickles and then the storages (torch/serialization.py:_legacy_save, _legacy_load).
#include <array>
#include <cstring>

#include "archive/dtypes.h"
#include "archive/fail.h"
#include "archive/raw_storages.h"
#include "archive/torch_objects.h"

namespace ptrun::archive {
namespace {

using Type = PickleNode::Type;

constexpr std::string_view kMagic("\x6C\xFC\x9C\x46\xF9\x20\x6A\xA8\x50\x19", 10);  // 0x1950A86A20F9469CFC6C
constexpr std::int64_t kProtocol = 1001;
constexpr std::size_t kCountBytes = 8;
constexpr std::size_t kSmallPickle = 1U << 20U;  // the parts that hold only a number or a small dict

class TorchLegacyFile final : public RawStorageFile {
 public:
  TorchLegacyFile(const std::shared_ptr<const ByteSource>& source, const Limits& limits)
      : RawStorageFile(source, Kind::torch_save_legacy, limits) {
    Limits small = limits;
    small.pickle_bytes = std::min<std::uint64_t>(small.pickle_bytes, kSmallPickle);
    const Pickle magic = part("magic number", small);
    if (!magic.is(magic.root, Type::big_integer) || magic.text(magic.root) != kMagic) {
      bad("does not begin with the magic number of torch.save");
    }
    const Pickle protocol = part("protocol version", small);
    if (!protocol.is(protocol.root, Type::integer) || protocol[protocol.root].integer != kProtocol) {
      bad("has another legacy protocol than 1001");
    }
    const Pickle system = part("system info", small);
    const NodeId little = system.lookup(system.root, "little_endian");
    if (!system.is(little, Type::boolean)) bad("does not say its byte order");
    facts_.emplace_back("format version", "legacy 1001");
    facts_.emplace_back("byte order of the writer", system[little].integer != 0 ? "little" : "big");
    data_ = part("object", limits);
    TorchObjects objects = read_torch_objects(data_, source->name(), "object", limits);
    const Pickle keys = part("storage keys", limits);
    offsets_.assign(objects.storages.size(), 0);
    read_layout(keys, objects);
    storages_ = std::move(objects.storages);
    tensors_ = std::move(objects.tensors);
    tensor_nodes_ = std::move(objects.tensor_nodes);
  }

 private:
  template <typename... Parts>
  [[noreturn]] void bad(const Parts&... parts) const {
    fail_bad(source_->name(), "the legacy torch.save file ", parts...,
             "; it is damaged or truncated, download it again");
  }

  Pickle part(const char* name, const Limits& limits) {
    return read_pickle(*source_, at_, source_->size(), name, limits);
  }

  // For each key of the list: element count, elements.
  void read_layout(const Pickle& keys, const TorchObjects& objects) {
    if (!keys.is(keys.root, Type::list)) bad("has storage keys that are not a list");
    std::vector<bool> seen(objects.storages.size(), false);
    for (const NodeId id : keys[keys.root].children) {
      const auto found = objects.by_key.find(std::string(keys.text(id)));
      if (found == objects.by_key.end()) bad("lists a storage ", in_quotes(keys.text(id)), " that no tensor uses");
      const std::size_t index = found->second;
      if (seen[index]) bad("lists storage ", objects.storages[index].key, " twice");
      seen[index] = true;
      read_count(objects.storages[index]);
      offsets_[index] = at_;
      at_ += objects.storages[index].bytes;
    }
    for (std::size_t i = 0; i < seen.size(); ++i) {
      if (!seen[i]) bad("does not list storage ", objects.storages[i].key, ", which a tensor uses");
    }
    if (at_ != source_->size()) bad("has ", source_->size() - at_, " bytes behind its last storage, expected none");
  }

  void read_count(const Storage& storage) {
    if (!holds(at_, kCountBytes)) bad("ends before storage ", storage.key);
    std::array<unsigned char, kCountBytes> raw{};
    source_->read(at_, raw.data(), raw.size());
    std::uint64_t count = 0;
    for (std::size_t i = 0; i < raw.size(); ++i) count |= static_cast<std::uint64_t>(raw[i]) << (8U * i);
    at_ += kCountBytes;
    const std::uint64_t expected = storage.bytes / item_size(storage.dtype);
    if (count != expected) {
      bad("has ", count, " elements in storage ", storage.key, ", expected ", expected);
    }
    if (!holds(at_, storage.bytes)) {
      bad("has ", source_->size() - at_, " bytes left for storage ", storage.key, ", expected ", storage.bytes);
    }
  }

  std::uint64_t at_ = 0;
};

}  // namespace

std::shared_ptr<const TensorFile> open_torch_legacy(std::shared_ptr<const ByteSource> source, const Limits& limits) {
  return std::make_shared<TorchLegacyFile>(source, limits);
}

}  // namespace ptrun::archive
