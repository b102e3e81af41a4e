#include "loader/presets.h"

#include <openssl/evp.h>

#include <algorithm>
#include <array>

#include "core/text.h"
#include "loader/network_facts.h"
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

// Letters and digits in lower case, so that ResNet50 and resnet_50 are one word.
std::string plain_letters(std::string_view text) {
  std::string plain;
  for (const char c : text) {
    if (c >= 'A' && c <= 'Z') plain += static_cast<char>(c - 'A' + 'a');
    if ((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9')) plain += c;
  }
  return plain;
}

// `subject` is what an error is about: the option or the file that gives the name.
const PublishedWeights& named_weights(const std::string& name, const std::string& subject, const ModelTables& tables) {
  std::vector<std::string> names;
  std::vector<std::string> similar;
  for (const PublishedWeights& row : tables.published) {
    if (row.name == name) return row;
    // A file that was published twice has two rows.
    std::string known(row.name);
    if (std::find(names.begin(), names.end(), known) != names.end()) continue;
    if (plain_letters(known).find(plain_letters(name)) != std::string::npos) similar.push_back(known);
    names.push_back(std::move(known));
  }
  const std::string near = nearest_match(name, names);
  std::string help = "; did you mean " + near + "?";
  if (near.empty()) help = similar.empty() ? std::string() : "; did you mean one of " + join_some(similar, 10) + "?";
  throw Error(
      ErrorCode::invalid_argument, subject,
      printable(name) + " was found, expected published weights" + help + "; there are " + join_some(names, 10));
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
  const auto add = [&](PresetLayer layer, const std::string& fallback) {
    if (layer.source.empty()) layer.source = fallback;
    layers.push_back(std::move(layer));
  };
  // Weights by their name, below the fields that stand beside it.
  const auto add_named = [&](const std::string& name, const std::string& source) {
    if (name.empty()) return;
    layers.push_back(published_preset(named_weights(name, source, *options.models), model.from_weights));
    layers.back().source = source == "preset" ? "preset " + name : source + ", preset " + name;
  };
  add(options.preset, "command line");
  add_named(options.preset_name, "preset");
  add(sidecar.preset, "sidecar");
  add_named(sidecar.preset_name, layers.back().source);
  for (const ModelFacts& facts : model.stated) {
    add(facts.preset, "model file");
    add_named(facts.preset_name, layers.back().source);
  }
  add(model.file_preset, "model file");
  if (published != nullptr) layers.push_back(published_preset(*published, model.from_weights));
  add(model.assumed_preset, model.architecture + " default");
  layers.back().assumed = true;
  model.preset = resolve_preset(layers);
}

}  // namespace ptrun
