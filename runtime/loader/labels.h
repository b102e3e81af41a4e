// Class names for a model.
#pragma once

#include <string>

#include "archive/byte_source.h"
#include "loader/model_impl.h"
#include "loader/sidecar.h"

namespace ptrun {

// Reads class names: JSON in any form of label_names.h, else one name a line. Throws invalid_argument naming the file
// and the place, also for text that is not UTF-8; limit_exceeded over 16 MiB or a million names.
Labels read_labels(const archive::ByteSource& source);

// Fills model.labels: the caller's file, else the sidecar's, else what the file itself says, else those of the
// published weights, else ImageNet's for 1000 classes (a note says that it is assumed). The number of names must be the
// number of classes: throws invalid_argument for the caller's file, drops the others with a note.
void resolve_labels(const LoadOptions& options, const ModelFacts& sidecar, const PublishedWeights* published,
                    Model::Impl& model);

}  // namespace ptrun
