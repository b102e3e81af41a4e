// What kind of file the bytes are, decided by content and never by the name.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "archive/byte_source.h"
#include "archive/zip.h"

namespace ptrun::archive {

enum class Kind {
  // Files that a loader exists or is planned for.
  torch_save_zip,     // torch.save since 1.6: tensor, state_dict, checkpoint or whole module
  torch_save_legacy,  // torch.save before 1.6
  torchscript,
  exported_program,  // .pt2 of torch.export
  aot_inductor,
  safetensors,
  shard_index,  // weights in several files, see sharded.h
  // Recognised, and answered with what they are.
  lite_interpreter,
  torchscript_old,
  exported_program_old,
  torch_package,
  torchserve_mar,
  torch_save_tar,
  mobile_flatbuffer,
  executorch,
  executorch_data,
  pytorch_preview,
  lfs_pointer,
  web_page,
  json_text,
  text,
  onnx,
  saved_model,
  frozen_graph,
  tflite,
  coreml,
  openvino,
  tensorrt,
  gguf,
  keras_zip,
  python_source,
  hdf5,
  numpy,
  npz,
  gzip,
  bzip2,
  xz,
  zstd,
  seven_zip,
  rar,
  tar,
  bare_pickle,
  image,
  native_library,
  zeros,
  empty_zip,
  other_zip,
  unknown,
};

// One row of the table: `word` is stable ("torch_save_zip"), `title` is for people ("a TorchScript archive").
// `remedy` is empty for kinds that are read, else it says what to do.
struct KindInfo {
  Kind kind;
  std::string_view word;
  std::string_view title;
  std::string_view remedy;
};
const KindInfo& info(Kind kind);
const std::vector<KindInfo>& all_kinds();

// Reads the first bytes and, for a zip, its directory. Throws bad_model for a damaged zip or a file that is two kinds
// at once (polyglot), naming both.
Kind detect(const ByteSource& source);
// The same for a zip that is open already.
Kind detect_zip(const ZipArchive& zip);

// One sentence about this very file where its content says more than its kind: the object that a Git LFS pointer
// names, the image format, the names in another zip. Empty when there is nothing to add.
std::string details(const ByteSource& source, Kind kind);

// Throws unsupported with the title, the details and the remedy when `kind` is one that is only recognised.
void require_readable(const ByteSource& source, Kind kind);

}  // namespace ptrun::archive
