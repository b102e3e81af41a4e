// The archives around a program: the .pt2 layout since PyTorch 2.7 with raw or pickled weights, and the zip before it.
#include <algorithm>
#include <array>
#include <bit>

#include "archive/dtypes.h"
#include "archive/exported_program_graph.h"

namespace ptrun::archive::exported {
namespace {

using Json = nlohmann::json;
using Names = std::unordered_map<std::string, Place>;

constexpr std::uint64_t kSmallRecord = 4096;  // byteorder, archive_format

// A nested file that stands as it is in a larger one.
class Slice final : public ByteSource {
 public:
  Slice(std::shared_ptr<const ByteSource> whole, std::uint64_t offset, std::uint64_t size)
      : whole_(std::move(whole)), offset_(offset), size_(size) {}
  const std::string& name() const noexcept override { return whole_->name(); }
  std::uint64_t size() const noexcept override { return size_; }
  void read(std::uint64_t offset, void* to, std::size_t count) const override {
    if (offset > size_ || count > size_ - offset) {
      fail_bad(name(), "bytes ", offset, " to ", offset + count, " of a nested file of ", size_, " bytes");
    }
    whole_->read(offset_ + offset, to, count);
  }

 private:
  std::shared_ptr<const ByteSource> whole_;
  std::uint64_t offset_;
  std::uint64_t size_;
};

// Raw storages in records data/weights/weight_N and data/constants/tensor_N, described by JSON.
class RawTensors final : public TensorFile {
 public:
  RawTensors(const std::shared_ptr<const ZipArchive>& zip, std::shared_ptr<const ByteSource> source,
             const Limits& limits)
      : TensorFile(std::move(source), Kind::exported_program, limits), zip_(zip) {}

  void add_config(const std::string& part, const std::string& folder, std::size_t file, Names& names) {
    const Json json =
        parse_json(zip_->read(zip_->require(part), limits_.program_json_bytes), source_->name(), part, limits_);
    JsonReader reader(source_->name(), part);
    for (const auto& [name, meta] : reader.map(json, "config").items()) {
      reader.set_place("config", tensors_.size(), name);
      names[name] = {file, tensors_.size()};
      tensors_.push_back(read_tensor(reader, meta, folder));
    }
  }

  void read_storage(std::size_t index, void* to) const override { zip_->read_into(*records_.at(index), to); }
  std::optional<std::uint64_t> storage_offset(std::size_t index) const override {
    const ZipEntry& record = *records_.at(index);
    return record.deflated ? std::nullopt : std::optional(record.data_offset);
  }
  void verify() const override {
    for (const ZipEntry* record : records_) zip_->verify(*record);
  }

 private:
  TensorInfo read_tensor(const JsonReader& reader, const Json& json, const std::string& folder) {
    TensorInfo tensor;
    const std::string path = reader.text(json, "path_name");
    if (reader.boolean(reader.member(json, "use_pickle"), "use_pickle")) {
      tensor.layout = TensorLayout::opaque;
      tensor.what = "pickled";
      return tensor;
    }
    const Json& meta = reader.map(json, "tensor_meta");
    tensor.dtype = scalar_type(reader.integer(reader.member(meta, "dtype"), "dtype"));
    if (tensor.dtype == DType::unknown)
      reader.bad("dtype number ", reader.member(meta, "dtype").dump(), " is not one of the schema");
    constexpr std::int64_t kStrided = 7;
    if (reader.integer(reader.member(meta, "layout"), "layout") != kStrided) {
      tensor.layout = TensorLayout::sparse;
      tensor.what = "sparse";
      return tensor;
    }
    tensor.shape = dimensions(reader, reader.list(meta, "sizes"), "sizes");
    tensor.strides = dimensions(reader, reader.list(meta, "strides"), "strides");
    tensor.offset = plain_size(reader, reader.member(meta, "storage_offset"), "storage_offset");
    tensor.storage = storage_of(reader, folder + path, tensor.dtype);
    check_inside(reader, tensor);
    return tensor;
  }

  static std::int64_t plain_size(const JsonReader& reader, const Json& json, const char* what) {
    const auto [key, value] = reader.only_member(json, what);
    if (key != "as_int") reader.bad(what, " of a weight is symbolic, expected a number");
    const std::int64_t size = reader.integer(*value, what);
    if (size < 0) reader.bad(what, " is ", size, ", expected 0 or more");
    return size;
  }

  std::vector<std::int64_t> dimensions(const JsonReader& reader, const Json& list, const char* what) const {
    if (list.size() > limits_.tensor_dimensions) {
      reader.bad(what, " has ", list.size(), " dimensions, the limit is ", limits_.tensor_dimensions);
    }
    std::vector<std::int64_t> result;
    for (const Json& item : list) result.push_back(plain_size(reader, item, what));
    return result;
  }

  std::size_t storage_of(const JsonReader& reader, const std::string& record, DType dtype) {
    const auto [known, fresh] = by_record_.emplace(record, storages_.size());
    if (!fresh) return known->second;
    const ZipEntry* entry = zip_->find(record);
    if (entry == nullptr) reader.bad("record ", in_quotes(record), " is missing");
    if (!add(total_, entry->size, total_) || total_ > limits_.tensor_total_bytes) {
      fail_limit(source_->name(), "the weights take more than the limit of ", limits_.tensor_total_bytes, " bytes");
    }
    storages_.push_back({.key = record, .dtype = dtype, .bytes = entry->size, .location = "cpu"});
    records_.push_back(entry);
    return known->second;
  }

  void check_inside(const JsonReader& reader, TensorInfo& tensor) {
    if (tensor.shape.size() != tensor.strides.size()) {
      reader.bad("has ", tensor.shape.size(), " sizes and ", tensor.strides.size(), " strides");
    }
    const DTypeInfo& type = info(tensor.dtype);
    const std::uint64_t bytes = storages_[tensor.storage].bytes;
    const bool empty = std::find(tensor.shape.begin(), tensor.shape.end(), 0) != tensor.shape.end();
    if (empty) tensor.offset = 0;  // nothing is read from there
    std::uint64_t elements = 1;    // sizes beside a 0 count: strides are made of them
    auto end = static_cast<std::uint64_t>(tensor.offset);
    bool fits = add(end, 1, end);
    for (std::size_t i = 0; i < tensor.shape.size(); ++i) {
      std::uint64_t reach = 0;
      const auto size = static_cast<std::uint64_t>(tensor.shape[i]);
      if (size != 0) fits = fits && multiply(elements, size, elements);
      if (!empty) {
        fits = fits && multiply(size - 1, static_cast<std::uint64_t>(tensor.strides[i]), reach) && add(end, reach, end);
      }
    }
    std::uint64_t needed = 0;
    std::uint64_t bits = 0;
    fits = fits && multiply(elements, type.bits, bits) && multiply(end, type.bytes, needed);
    fits = fits && (empty || needed <= bytes);
    const std::uint64_t dense = empty ? 0 : bits / 8;
    if (!fits) {
      reader.bad("its sizes, strides and offset reach outside its record ", storages_[tensor.storage].key, " of ",
                 bytes, " bytes");
    }
    if (dense > bytes && (!add(expanded_, dense, expanded_) || expanded_ > limits_.expanded_bytes)) {
      fail_limit(source_->name(), reader.part(), ": tensors that repeat elements expand to more than the limit of ",
                 limits_.expanded_bytes, " bytes");
    }
  }

  std::shared_ptr<const ZipArchive> zip_;
  std::vector<const ZipEntry*> records_;  // by storage
  std::unordered_map<std::string, std::size_t> by_record_;
  std::uint64_t total_ = 0;
  std::uint64_t expanded_ = 0;
};

void require_little_endian(const ZipArchive& zip) {
  const ZipEntry* entry = zip.find("byteorder");
  if (entry == nullptr) return;
  const std::string order = zip.read(*entry, kSmallRecord);
  if (order == "little" && std::endian::native == std::endian::little) return;
  fail(ErrorCode::unsupported, zip.source().name(), "byte order ", in_quotes(order),
       ", expected 'little' on a little-endian machine; save the program there");
}

// Names of a pickled dict of tensors, read by our own reader.
std::shared_ptr<const TensorFile> read_pickled(const ZipArchive& zip, const std::shared_ptr<const ByteSource>& source,
                                               const ZipEntry& record, const Limits& limits, std::size_t file,
                                               Names& names) {
  std::shared_ptr<const ByteSource> bytes;
  if (record.deflated) {
    bytes = from_memory(source->name(), zip.read(record, limits.pickle_bytes));
  } else {
    bytes = std::make_shared<Slice>(source, record.data_offset, record.stored_size);
  }
  const Kind kind = bytes->size() == 0 ? Kind::unknown : detect(*bytes);
  if (kind != Kind::torch_save_zip && kind != Kind::torch_save_legacy) {
    fail_bad(source->name(), "record ", in_quotes(zip.short_name(record)), " is ", info(kind).title,
             ", expected a file written by torch.save; the file is damaged, save the program again");
  }
  auto tensors = TensorFile::open(bytes, kind, limits);
  const Pickle& data = tensors->data();
  for (const auto& [key, value] : data.mapping(data.root)) {
    const auto tensor = tensors->tensor_at(value);
    if (tensor) names[std::string(data.text(key))] = {file, *tensor};
  }
  return tensors;
}

std::string only_program(const ZipArchive& zip) {
  constexpr std::string_view kFolder = "models/";
  constexpr std::string_view kEnd = ".json";
  std::vector<std::string> found;
  for (const ZipEntry& entry : zip.entries()) {
    const std::string_view name = zip.short_name(entry);
    if (name.size() <= kFolder.size() + kEnd.size() || name.substr(0, kFolder.size()) != kFolder ||
        name.substr(name.size() - kEnd.size()) != kEnd) {
      continue;
    }
    found.emplace_back(name.substr(kFolder.size(), name.size() - kFolder.size() - kEnd.size()));
  }
  if (found.size() == 1) return found.front();
  if (found.empty()) fail_bad(zip.source().name(), "holds no models/NAME.json, expected one; save the program again");
  if (std::find(found.begin(), found.end(), "model") != found.end()) return "model";
  fail(ErrorCode::unsupported, zip.source().name(), "holds the programs ", printable(join_some(found, 5), 200),
       ", expected one or one called 'model'; save the one to run alone");
}

void open_current(const std::shared_ptr<const ByteSource>& source, const Limits& limits, Archive& archive) {
  const ZipArchive& zip = *archive.zip;
  require_little_endian(zip);
  const std::string name = only_program(zip);
  const std::string part = "models/" + name + ".json";
  archive.program = read_program(zip.read(zip.require(part), limits.program_json_bytes), source->name(), part, limits);
  auto raw = std::make_shared<RawTensors>(archive.zip, source, limits);
  archive.files.push_back(raw);
  struct Group {
    std::string folder;
    std::string config;
    Names& names;
  };
  for (const Group& group : {Group{"data/weights/", "_weights_config.json", archive.weights},
                             Group{"data/constants/", "_constants_config.json", archive.constants}}) {
    // PyTorch 2.7 and 2.8 pickled both.
    if (const ZipEntry* pickled = zip.find(group.folder + name + ".pt")) {
      archive.files.push_back(read_pickled(zip, source, *pickled, limits, archive.files.size(), group.names));
    } else {
      raw->add_config(group.folder + name + group.config, group.folder, 0, group.names);
    }
  }
}

void open_old(const std::shared_ptr<const ByteSource>& source, const Limits& limits, Archive& archive) {
  const ZipArchive& zip = *archive.zip;
  const std::string part = "serialized_exported_program.json";
  archive.program = read_program(zip.read(zip.require(part), limits.program_json_bytes), source->name(), part, limits);
  archive.files.push_back(
      read_pickled(zip, source, zip.require("serialized_state_dict.pt"), limits, 0, archive.weights));
  if (const ZipEntry* constants = zip.find("serialized_constants.pt")) {
    archive.files.push_back(read_pickled(zip, source, *constants, limits, 1, archive.constants));
  }
}

}  // namespace

Archive open_archive(std::shared_ptr<const ByteSource> source, const Limits& limits) {
  Archive archive;
  archive.zip = ZipArchive::open(source, limits);
  const bool old = archive.zip->find("serialized_exported_program.json") != nullptr;
  (old ? open_old : open_current)(source, limits, archive);
  return archive;
}

}  // namespace ptrun::archive::exported
