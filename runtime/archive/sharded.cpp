#include "archive/sharded.h"

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>
#include <set>

#include "archive/fail.h"
#include "archive/weight_table.h"

namespace ptrun::archive {
namespace {

using nlohmann::json;

constexpr std::uint64_t kIndexBytes = 256ULL << 20U;
constexpr std::size_t kShards = 10'000;

// Keeps the pairs of "weight_map" and nothing else, so that deep or odd JSON costs nothing.
class IndexHandler final : public json::json_sax_t {
 public:
  explicit IndexHandler(const std::string& subject, const Limits& limits) : subject_(subject), limits_(limits) {}
  std::map<std::string, std::string> files;  // tensor -> shard
  bool found = false;

  bool null() override { return other(); }
  bool boolean(bool) override { return other(); }
  bool number_integer(number_integer_t) override { return other(); }
  bool number_unsigned(number_unsigned_t) override { return other(); }
  bool number_float(number_float_t, const string_t&) override { return other(); }
  bool binary(binary_t&) override { return other(); }
  bool string(string_t& value) override {
    if (!inside()) return true;
    if (files.size() >= limits_.weight_names) {
      fail_limit(subject_, "names more tensors than the limit of ", limits_.weight_names);
    }
    if (!files.emplace(key_, value).second)
      fail_bad(subject_, "names tensor ", in_quotes(key_), " twice, expected once");
    return true;
  }
  bool start_object(std::size_t) override {
    if (inside()) return other();
    ++depth_;
    in_map_ = depth_ == 2 && key_ == "weight_map";
    found = found || in_map_;
    return true;
  }
  bool end_object() override {
    in_map_ = false;
    --depth_;
    return true;
  }
  bool key(string_t& name) override {
    key_ = name;
    return true;
  }
  bool start_array(std::size_t) override {
    if (inside()) return other();
    ++depth_;
    return true;
  }
  bool end_array() override {
    --depth_;
    return true;
  }
  bool parse_error(std::size_t position, const std::string&, const nlohmann::json::exception&) override {
    fail_bad(subject_, "is not JSON at its byte ", position, ", expected an index of weights; download it again");
  }

 private:
  bool inside() const { return in_map_; }
  bool other() const {
    if (inside()) fail_bad(subject_, "the file of tensor ", in_quotes(key_), " is not a text; download it again");
    return true;
  }

  const std::string& subject_;
  const Limits& limits_;
  std::size_t depth_ = 0;
  bool in_map_ = false;
  std::string key_;
};

void require_inside(const std::string& subject, const std::string& name) {
  bool inside = !name.empty() && name.front() != '/' && name.find('\0') == std::string::npos &&
                name.find('\\') == std::string::npos;
  for (std::size_t at = 0; inside && at <= name.size();) {
    const std::size_t slash = std::min(name.find('/', at), name.size());
    const std::string_view part = std::string_view(name).substr(at, slash - at);
    inside = !part.empty() && part != "..";
    at = slash + 1;
  }
  if (!inside) {
    fail_bad(subject, "names the file ", in_quotes(name), ", expected one in its own folder; ask who made the index");
  }
}

class ShardedFile final : public TensorFile {
 public:
  ShardedFile(const std::shared_ptr<const ByteSource>& source, const Limits& limits)
      : TensorFile(source, Kind::shard_index, limits) {
    if (source->size() > kIndexBytes) {
      fail_limit(source->name(), "an index of ", source->size(), " bytes, the limit is ", kIndexBytes);
    }
    IndexHandler index(source->name(), limits);
    {
      const std::string text = source->read_string(0, static_cast<std::size_t>(source->size()));
      json::sax_parse(text, &index);
    }
    if (!index.found || index.files.empty()) {
      fail_bad(source->name(), "has no \"weight_map\" with tensors, expected an index of weights; download it again");
    }
    std::map<std::string, std::vector<std::string>> shards;  // file -> tensors
    for (const auto& [tensor, file] : index.files) shards[file].push_back(tensor);
    if (shards.size() > kShards) fail_limit(source->name(), "names more files than the limit of ", kShards);
    for (const auto& [file, tensors] : shards) require_inside(source->name(), file);
    data_.root = 0;
    data_.nodes.emplace_back().type = PickleNode::Type::dict;
    for (const auto& [file, tensors] : shards) add_shard(file, tensors);
    facts_.emplace_back("shards", std::to_string(shards.size()));
  }

  void read_storage(std::size_t index, void* to) const override {
    const Place& place = places_.at(index);
    shards_[place.shard]->read_storage(place.storage, to);
  }
  // Offsets mean something in one file only.
  std::optional<std::uint64_t> storage_offset(std::size_t) const override { return std::nullopt; }
  void verify() const override {
    for (const auto& shard : shards_) shard->verify();
  }

 private:
  struct Place {
    std::size_t shard;
    std::size_t storage;
  };

  std::shared_ptr<const TensorFile> open_shard(const std::string& file) const {
    const std::size_t slash = source_->name().rfind('/');
    const std::string path = (slash == std::string::npos ? "" : source_->name().substr(0, slash + 1)) + file;
    std::shared_ptr<const ByteSource> bytes;
    try {
      bytes = open_file(path);
    } catch (const Error& error) {
      fail_bad(source_->name(), "its shard ", in_quotes(file), " ", error.problem(),
               "; all files that the index names have to lie beside it");
    }
    const Kind kind = detect(*bytes);
    if (kind != Kind::safetensors && kind != Kind::torch_save_zip && kind != Kind::torch_save_legacy) {
      fail_bad(source_->name(), "its shard ", in_quotes(file), " is ", info(kind).title,
               ", expected safetensors or torch.save; download it again");
    }
    return TensorFile::open(bytes, kind, limits_);
  }

  void add_shard(const std::string& file, const std::vector<std::string>& names) {
    const std::shared_ptr<const TensorFile> shard = open_shard(file);
    std::map<std::string, std::size_t, std::less<>> known;
    for (const auto& [key, value] : shard->data().mapping(shard->data().root)) {
      const auto tensor = shard->tensor_at(value);
      if (tensor) known.emplace(shard->data().text(key), *tensor);
    }
    const std::size_t first_storage = storages_.size();
    const std::size_t first_tensor = tensors_.size();
    for (std::size_t i = 0; i < shard->storages().size(); ++i) {
      storages_.push_back(shard->storages()[i]);
      places_.push_back({shards_.size(), i});
      if (!add(total_bytes_, storages_.back().bytes, total_bytes_) || total_bytes_ > limits_.tensor_total_bytes) {
        fail_limit(source_->name(), "the tensors take more than the limit of ", limits_.tensor_total_bytes, " bytes");
      }
    }
    for (TensorInfo tensor : shard->tensors()) {
      if (tensor.storage != kNoStorage) tensor.storage += first_storage;
      if (tensor.scales != kNoTensor) tensor.scales += first_tensor;
      if (tensor.zero_points != kNoTensor) tensor.zero_points += first_tensor;
      tensors_.push_back(std::move(tensor));
    }
    for (const std::string& name : names) {
      const auto found = known.find(name);
      if (found == known.end()) {
        fail_bad(source_->name(), "its shard ", in_quotes(file), " has no tensor ", in_quotes(name),
                 ", which the index places there; download both again");
      }
      add_node(name, first_tensor + found->second);
    }
    shards_.push_back(shard);
  }

  void add_node(const std::string& name, std::size_t tensor) {
    PickleNode& key = data_.nodes.emplace_back();
    key.type = PickleNode::Type::text;
    key.decoded = true;
    key.range = {static_cast<std::uint32_t>(data_.decoded.size()), static_cast<std::uint32_t>(name.size())};
    data_.decoded += name;
    data_.nodes.emplace_back().type = PickleNode::Type::tensor;
    const auto node = static_cast<NodeId>(data_.nodes.size() - 1);
    data_.nodes[data_.root].children.push_back(node - 1);
    data_.nodes[data_.root].children.push_back(node);
    tensor_nodes_.emplace(node, tensor);
  }

  std::vector<std::shared_ptr<const TensorFile>> shards_;
  std::vector<Place> places_;  // by storage
  std::uint64_t total_bytes_ = 0;
};

}  // namespace

bool looks_like_shard_index(std::string_view head) { return head.find("\"weight_map\"") != std::string_view::npos; }

std::shared_ptr<const TensorFile> open_sharded(std::shared_ptr<const ByteSource> source, const Limits& limits) {
  return std::make_shared<ShardedFile>(source, limits);
}

}  // namespace ptrun::archive
