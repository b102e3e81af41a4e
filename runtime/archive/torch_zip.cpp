// torch.save since 1.6: a zip with data.pkl and one record data/KEY a storage (torch/serialization.py:_save).
#include <bit>

#include "archive/fail.h"
#include "archive/tensor_file.h"
#include "archive/torch_objects.h"
#include "archive/write_weights.h"

namespace ptrun::archive {
namespace {

constexpr std::uint64_t kFactBytes = 4096;  // version, byteorder and the like
constexpr std::uint64_t kOwnFactsBytes = 64ULL << 20U;
constexpr int kNewestVersion = 10;  // caffe2/serialize/versions.h:kMaxSupportedFileFormatVersion

std::string trimmed(std::string text) {
  while (!text.empty() && (text.back() == '\n' || text.back() == '\r' || text.back() == ' ')) text.pop_back();
  return text;
}

class TorchZipFile final : public TensorFile {
 public:
  TorchZipFile(const std::shared_ptr<const ByteSource>& source, const Limits& limits)
      : TensorFile(source, Kind::torch_save_zip, limits), zip_(ZipArchive::open(source, limits)) {
    read_version();
    read_byte_order();
    add_fact("serialization id", ".data/serialization_id");
    add_fact("storage alignment", ".storage_alignment");
    if (const ZipEntry* own = zip_->find(kFactsRecord)) own_facts_ = zip_->read(*own, kOwnFactsBytes);
    data_ = read_pickle(zip_->read(zip_->require("data.pkl"), limits.pickle_bytes), source->name(), "data.pkl", limits);
    TorchObjects objects = read_torch_objects(data_, source->name(), "data.pkl", limits);
    for (const Storage& storage : objects.storages) records_.push_back(&record_of(storage));
    storages_ = std::move(objects.storages);
    tensors_ = std::move(objects.tensors);
    tensor_nodes_ = std::move(objects.tensor_nodes);
    swap_ = std::move(objects.swap);
  }

  void read_storage(std::size_t index, void* to) const override {
    if (foreign_order_ && swap_.at(index) == kMixedSwap) {
      fail(ErrorCode::unsupported, source_->name(), "storage ", storages_[index].key,
           " of the other byte order is viewed as different dtypes; save it again on a little-endian machine");
    }
    zip_->read_into(*records_.at(index), to);
    if (foreign_order_) swap_bytes(to, storages_[index].bytes, swap_[index]);
  }

  std::optional<std::uint64_t> storage_offset(std::size_t index) const override {
    const ZipEntry& record = *records_.at(index);
    if (record.deflated || (foreign_order_ && swap_[index] > 1)) return std::nullopt;
    return record.data_offset;
  }

  void verify() const override {
    for (const ZipEntry& entry : zip_->entries()) zip_->verify(entry);
  }

 private:
  void read_version() {
    const ZipEntry* entry = zip_->find(".data/version");
    if (entry == nullptr) entry = zip_->find("version");
    if (entry == nullptr) {
      fail_bad(source_->name(), "record 'version' is missing; the file is damaged, save or download it again");
    }
    const std::string text = trimmed(zip_->read(*entry, kFactBytes));
    int version = 0;
    for (const char digit : text.substr(0, 6)) {
      version = digit < '0' || digit > '9' || version < 0 ? -1 : version * 10 + (digit - '0');
    }
    if (text.empty() || version < 1) {
      fail_bad(source_->name(), "format version ", in_quotes(text), " is not a number from 1 to ", kNewestVersion,
               "; the file is damaged, save or download it again");
    }
    if (version > kNewestVersion) {
      fail(ErrorCode::unsupported, source_->name(), "format version ", printable(text), " is newer than ",
           kNewestVersion, ", the newest one known; save the model with an older PyTorch or get a newer ptrun");
    }
    facts_.emplace_back("format version", text);
  }

  void read_byte_order() {
    const ZipEntry* entry = zip_->find("byteorder");
    const std::string order = entry == nullptr ? "little" : trimmed(zip_->read(*entry, kFactBytes));
    if (order != "little" && order != "big") {
      fail_bad(source_->name(), "byte order ", in_quotes(order), ", expected little or big; the file is damaged");
    }
    foreign_order_ = (order == "little") != (std::endian::native == std::endian::little);
    facts_.emplace_back("byte order", order);
  }

  void add_fact(const char* name, const char* record) {
    const ZipEntry* entry = zip_->find(record);
    if (entry != nullptr && entry->size <= kFactBytes) {
      facts_.emplace_back(name, printable(trimmed(zip_->read(*entry, kFactBytes))));
    }
  }

  const ZipEntry& record_of(const Storage& storage) const {
    const ZipEntry& record = zip_->require("data/" + storage.key);
    if (record.size != storage.bytes) {
      fail_bad(source_->name(), "record data/", storage.key, " holds ", record.size, " bytes, expected ", storage.bytes,
               "; the file is damaged or made to do harm, download it again");
    }
    return record;
  }

  std::shared_ptr<const ZipArchive> zip_;
  std::vector<const ZipEntry*> records_;  // by storage
  std::vector<std::uint8_t> swap_;
  bool foreign_order_ = false;
};

}  // namespace

std::shared_ptr<const TensorFile> open_torch_zip(std::shared_ptr<const ByteSource> source, const Limits& limits) {
  return std::make_shared<TorchZipFile>(source, limits);
}

}  // namespace ptrun::archive
