#include "loader/presets.h"

#include <openssl/evp.h>

#include <algorithm>
#include <array>

#include "core/text.h"
#include "ptrun/error.h"

namespace ptrun {
namespace {

std::string file_name(const std::string& path) {
  const std::size_t slash = path.rfind('/');
  return slash == std::string::npos ? path : path.substr(slash + 1);
}

// "-b0353104" of "mobilenet_v2-b0353104.pth": torch.hub looks for 8 or more digits of the hash before the extension.
std::string hash_tag(std::string_view name) {
  constexpr std::size_t kFewest = 8;
  const std::string_view stem = name.substr(0, name.rfind('.'));
  const std::size_t dash = stem.rfind('-');
  if (dash == std::string_view::npos) return {};
  const std::string_view digits = stem.substr(dash + 1);
  const bool hex = std::all_of(digits.begin(), digits.end(),
                               [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
  return hex && digits.size() >= kFewest ? std::string(digits) : std::string();
}

const PublishedWeights& named_weights(const std::string& name, const ModelTables& tables) {
  std::vector<std::string> names;
  for (const PublishedWeights& row : tables.published) {
    if (row.name == name) return row;
    names.emplace_back(row.name);
  }
  const std::string near = nearest_match(name, names);
  throw Error(ErrorCode::invalid_argument, "preset " + printable(name),
              "is not known" + (near.empty() ? std::string() : "; did you mean " + near + "?") +
                  "; known presets: " + join_some(names, names.size()));
}

}  // namespace

std::string sha256(const archive::ByteSource& source) {
  const std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> context(EVP_MD_CTX_new(), EVP_MD_CTX_free);
  bool ok = context && EVP_DigestInit_ex(context.get(), EVP_sha256(), nullptr) == 1;
  std::vector<unsigned char> block(std::size_t{1} << 20U);
  for (std::uint64_t at = 0; ok && at < source.size();) {
    const auto count = static_cast<std::size_t>(std::min<std::uint64_t>(block.size(), source.size() - at));
    source.read(at, block.data(), count);
    ok = EVP_DigestUpdate(context.get(), block.data(), count) == 1;
    at += count;
  }
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned int length = 0;
  ok = ok && EVP_DigestFinal_ex(context.get(), digest.data(), &length) == 1;
  if (!ok) throw Error(ErrorCode::internal, source.name(), "OpenSSL could not compute its SHA-256");
  constexpr std::string_view kHex = "0123456789abcdef";
  std::string text;
  for (unsigned int i = 0; i < length; ++i) {
    text += kHex[digest[i] >> 4U];
    text += kHex[digest[i] & 15U];
  }
  return text;
}

PublishedSearch::PublishedSearch(const std::shared_ptr<const archive::ByteSource>& source, const ModelTables& tables)
    : source_(source), tables_(&tables) {
  const bool possible = std::any_of(tables.published.begin(), tables.published.end(), [&](const PublishedWeights& row) {
    return !row.sha256.empty() && row.file_size == source->size();
  });
  if (possible) digest_ = std::async(std::launch::async, [file = source] { return sha256(*file); });
}

const PublishedWeights* PublishedSearch::find(std::vector<std::string>& notes) {
  const std::string digest = digest_.valid() ? digest_.get() : std::string();
  const std::string tag = hash_tag(file_name(source_->name()));
  const PublishedWeights* tagged = nullptr;
  for (const PublishedWeights& row : tables_->published) {
    if (!digest.empty() && row.sha256 == digest) return &row;
    if (tagged == nullptr && !tag.empty() && hash_tag(row.file_name) == tag) tagged = &row;
  }
  if (tagged == nullptr || tagged->sha256.empty()) return tagged;
  notes.push_back("the file's name says " + std::string(tagged->file_name) +
                  ", but its content is another; its preset and labels are not taken from there");
  return nullptr;
}

void take_input_size(std::int64_t height, std::int64_t width, const char* source, Model::Impl& model) {
  if (height <= 0 || width <= 0) return;
  PresetLayer& preset = model.file_preset;
  if (preset.source.empty()) preset.source = source;
  if (!preset.input_height) preset.input_height = static_cast<int>(height);
  if (!preset.input_width) preset.input_width = static_cast<int>(width);
}

void resolve_model_preset(const LoadOptions& options, const ModelFacts& sidecar, const PublishedWeights* published,
                          Model::Impl& model) {
  std::vector<PresetLayer> layers;
  layers.push_back(options.preset);
  if (layers.back().source.empty()) layers.back().source = "command line";
  if (!options.preset_name.empty()) {
    layers.push_back(named_weights(options.preset_name, *options.models).preset);
    layers.back().source = "preset " + options.preset_name;
  }
  layers.push_back(sidecar.preset);
  if (layers.back().source.empty()) layers.back().source = "sidecar";
  if (!sidecar.preset_name.empty()) {
    const std::string source = layers.back().source;
    layers.push_back(named_weights(sidecar.preset_name, *options.models).preset);
    layers.back().source = source + ", preset " + sidecar.preset_name;
  }
  layers.push_back(model.file_preset);
  if (layers.back().source.empty()) layers.back().source = "model file";
  if (published != nullptr) layers.push_back(published->preset);
  layers.push_back(model.assumed_preset);
  if (layers.back().source.empty()) layers.back().source = model.architecture + " default";
  layers.back().assumed = true;
  model.preset = resolve_preset(layers);
}

}  // namespace ptrun
