// Which published weights a file is, and the model's preset from all layers.
#pragma once

#include <string>
#include <vector>

#include "archive/byte_source.h"
#include "loader/model_impl.h"

namespace ptrun {

// The row that the file is: by the hash of its content, then by the hash tag in its name ("-b0353104"). A file with a
// row's tag but another content is not that row; a note says so. Null when there is none.
const PublishedWeights* find_published(const archive::ByteSource& source, const ModelTables& tables,
                                       std::vector<std::string>& notes);

// SHA-256 of the whole source in lower-case hex.
std::string sha256(const archive::ByteSource& source);

// Fills model.preset in the precedence: caller's fields, --preset, sidecar MODELFILE.ptrun.json, inside the file,
// published weights, family guess, ImageNet. Throws invalid_argument for an unknown preset name.
void resolve_model_preset(const archive::ByteSource& source, const LoadOptions& options,
                          const PublishedWeights* published, Model::Impl& model);

}  // namespace ptrun
