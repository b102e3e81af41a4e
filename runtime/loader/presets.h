// Which published weights a file is, and the model's preset from all layers.
#pragma once

#include <future>
#include <memory>
#include <string>
#include <vector>

#include "archive/byte_source.h"
#include "loader/model_impl.h"
#include "loader/sidecar.h"

namespace ptrun {

// Finds the row that a file is: by the hash of its content, then by the hash tag in its name ("-b0353104"). The
// content is hashed only when a row has the file's size, and then on a thread of its own, beside the loading.
class PublishedSearch {
 public:
  // Both must outlive the search.
  PublishedSearch(const std::shared_ptr<const archive::ByteSource>& source, const ModelTables& tables);

  // Waits for the hash. A file with a row's tag but another content is not that row; a note says so. Null when there
  // is none.
  const PublishedWeights* find(std::vector<std::string>& notes);

 private:
  std::shared_ptr<const archive::ByteSource> source_;
  const ModelTables* tables_;
  std::future<std::string> digest_;
};

// SHA-256 of the whole source in lower-case hex.
std::string sha256(const archive::ByteSource& source);

// The size that the network was made for, where it is fixed (above 0) and the file itself names no other: its images
// are prepared to it.
void take_input_size(std::int64_t height, std::int64_t width, const char* source, Model::Impl& model);

// Fills model.preset in the precedence: caller's fields, --preset, sidecar MODELFILE.ptrun.json, inside the file,
// published weights, family guess, ImageNet. Throws invalid_argument for an unknown preset name.
void resolve_model_preset(const LoadOptions& options, const ModelFacts& sidecar, const PublishedWeights* published,
                          Model::Impl& model);

}  // namespace ptrun
