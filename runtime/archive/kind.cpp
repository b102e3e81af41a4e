// The one table of file kinds: how each is recognised and what people are told about it.
#include "archive/kind.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <memory>

#include "archive/fail.h"
#include "archive/kind_text.h"

namespace ptrun::archive {
namespace {

using namespace std::string_view_literals;

constexpr std::string_view kExport =
    "in Python: torch.jit.trace(model.eval(), torch.rand(1, 3, 224, 224)).save('model.pt'), or "
    "torch.save(model.state_dict(), 'weights.pt')";

const std::vector<KindInfo>& table() {
  static const std::vector<KindInfo> rows = {
      {Kind::torch_save_zip, "torch_save_zip", "a file written by torch.save", ""},
      {Kind::torch_save_legacy, "torch_save_legacy", "a file written by torch.save before PyTorch 1.6", ""},
      {Kind::torchscript, "torchscript", "a TorchScript archive", ""},
      {Kind::exported_program, "exported_program", "a torch.export archive (.pt2)", ""},
      {Kind::aot_inductor, "aot_inductor", "an AOTInductor package of native code", ""},
      {Kind::safetensors, "safetensors", "a safetensors file", ""},
      {Kind::shard_index, "shard_index", "an index of weights in several files", ""},
      {Kind::lite_interpreter, "lite_interpreter", "a TorchScript archive for the lite interpreter (.ptl)", ""},
      {Kind::torchscript_old, "torchscript_old", "a TorchScript archive of PyTorch 1.0 to 1.2",
       "load and save it again with PyTorch 1.3 or later: torch.jit.load('old.pt').save('model.pt')"},
      {Kind::exported_program_old, "exported_program_old", "a torch.export archive of PyTorch 2.1 to 2.7", ""},
      {Kind::torch_package, "torch_package", "a torch.package archive, which carries Python code",
       "load it with torch.package.PackageImporter, then torch.save(model.state_dict(), 'weights.pt')"},
      {Kind::torchserve_mar, "torchserve_mar", "a TorchServe model archive (.mar)",
       "unzip it and give the model file inside (serializedFile in MAR-INF/MANIFEST.json)"},
      {Kind::torch_save_tar, "torch_save_tar", "a tar file written by torch.save of PyTorch 0.1 (2017)",
       "load it in Python with torch.load(path, weights_only=False) if you trust it, then torch.save it again"},
      {Kind::mobile_flatbuffer, "mobile_flatbuffer", "a mobile flatbuffer model (.ptl, .ff)",
       "export the model again as TorchScript: torch.jit.script(model).save('model.pt')"},
      {Kind::executorch, "executorch", "an ExecuTorch program (.pte)",
       "it runs with the ExecuTorch runtime; for ptrun save the model it came from with torch.export.save"},
      {Kind::executorch_data, "executorch_data", "an ExecuTorch tensor file (.ptd)",
       "it belongs to a .pte program; for ptrun save the model it came from with torch.save or torch.export.save"},
      {Kind::pytorch_preview, "pytorch_preview", "a file of a PyTorch 1.0 preview release (PYTORCH1)",
       "no released PyTorch reads it; train or export the model again"},
      {Kind::lfs_pointer, "lfs_pointer", "a Git LFS pointer, not the model itself",
       "run `git lfs pull` in the repository to fetch the real file"},
      {Kind::web_page, "web_page", "a web page, not a model: the download link led to a page or an error",
       "open it in a browser, find the direct link (for Hugging Face: /resolve/ instead of /blob/), download again"},
      {Kind::json_text, "json_text", "a JSON text, not a model", "give the model file that belongs to it"},
      {Kind::text, "text", "a plain text file, not a model", "give the path of the model file"},
      {Kind::onnx, "onnx", "an ONNX model",
       "it runs with ONNX Runtime; for ptrun export the PyTorch model it came from"},
      {Kind::saved_model, "saved_model", "a TensorFlow SavedModel (saved_model.pb)",
       "it runs with TensorFlow; for ptrun export the PyTorch model, or convert the weights to PyTorch first"},
      {Kind::frozen_graph, "frozen_graph", "a frozen TensorFlow graph (.pb)",
       "it runs with TensorFlow 1's GraphDef; for ptrun export the PyTorch model it was made from"},
      {Kind::tflite, "tflite", "a LiteRT (TensorFlow Lite) model (.tflite)",
       "it runs with LiteRT; for ptrun give the PyTorch model, for ultralytics the .pt file it was exported from"},
      {Kind::coreml, "coreml", "a Core ML model (.mlmodel)",
       "it runs on Apple systems only; for ptrun give the PyTorch model that coremltools converted"},
      {Kind::openvino, "openvino", "an OpenVINO model description (.xml)",
       "it runs with OpenVINO; for ptrun give the PyTorch model that ovc or export converted"},
      {Kind::tensorrt, "tensorrt", "a TensorRT engine (.engine, .plan), native code for one GPU type",
       "it runs with its own TensorRT version; for ptrun give the .pt or .pt2 file it was built from"},
      {Kind::gguf, "gguf", "a GGUF file of llama.cpp", "ptrun runs image models of PyTorch; give one of these"},
      {Kind::keras_zip, "keras_zip", "a Keras 3 model (.keras)",
       "copy its weights into the PyTorch network in Python and save that with torch.save"},
      {Kind::python_source, "python_source", "Python source code, not a model: it is never executed",
       "run it with Python to make the model, then save it: torch.save(model.state_dict(), 'weights.pt')"},
      {Kind::hdf5, "hdf5", "an HDF5 file (Keras, h5py), not a PyTorch model",
       "convert the weights to PyTorch first and save them with torch.save"},
      {Kind::numpy, "numpy", "a NumPy array file (.npy), not a PyTorch model",
       "torch.save({'name': torch.from_numpy(array)}, 'weights.pt') makes weights of arrays"},
      {Kind::npz, "npz", "a NumPy archive (.npz), not a PyTorch model",
       "torch.save({k: torch.from_numpy(v) for k, v in numpy.load(path).items()}, 'weights.pt') converts it"},
      {Kind::gzip, "gzip", "gzip-compressed", "decompress it first: gunzip FILE (or tar xzf FILE)"},
      {Kind::bzip2, "bzip2", "bzip2-compressed", "decompress it first: bunzip2 FILE (or tar xjf FILE)"},
      {Kind::xz, "xz", "xz-compressed", "decompress it first: unxz FILE (or tar xJf FILE)"},
      {Kind::zstd, "zstd", "zstd-compressed", "decompress it first: unzstd FILE"},
      {Kind::seven_zip, "seven_zip", "a 7z archive", "unpack it first: 7z x FILE"},
      {Kind::rar, "rar", "a RAR archive", "unpack it first: unrar x FILE"},
      {Kind::tar, "tar", "a tar archive", "unpack it first: tar xf FILE, and give the model file inside"},
      {Kind::bare_pickle, "bare_pickle", "a plain Python pickle, not written by torch.save",
       "load it in Python if you trust it, then torch.save(model.state_dict(), 'weights.pt')"},
      {Kind::image, "image", "an image, not a model", "the model comes first: ptrun predict MODEL IMAGE"},
      {Kind::native_library, "native_library", "an executable or shared library, not a model",
       "give the model file; code in this form is never loaded"},
      {Kind::zeros, "zeros", "filled with zero bytes: a download or copy that was never finished",
       "download or copy it again"},
      {Kind::empty_zip, "empty_zip", "a zip archive without entries", "save or download the model again"},
      {Kind::other_zip, "other_zip", "a zip archive that is no known kind of model",
       "unzip it and give the model inside"},
      {Kind::unknown, "unknown", "no known kind of model", kExport},
  };
  return rows;
}

struct Magic {
  Kind kind;
  std::size_t offset;
  std::string_view bytes;
};

// In order; the first hit counts. What needs more than fixed bytes follows in by_content().
constexpr std::array kMagics = {
    Magic{Kind::empty_zip, 0, "PK\x05\x06"sv},
    Magic{Kind::mobile_flatbuffer, 4, "PTMF"sv},
    Magic{Kind::tflite, 4, "TFL3"sv},
    Magic{Kind::gguf, 0, "GGUF"sv},
    Magic{Kind::tensorrt, 0, "ftrt"sv},
    Magic{Kind::executorch, 4, "ET12"sv},
    Magic{Kind::executorch_data, 4, "FT01"sv},
    Magic{Kind::pytorch_preview, 0, "PYTORCH1"sv},
    Magic{Kind::lfs_pointer, 0, "version https://git-lfs"sv},
    Magic{Kind::gzip, 0, "\x1F\x8B"sv},
    Magic{Kind::bzip2, 0, "BZh"sv},
    Magic{Kind::xz, 0, "\xFD\x37zXZ\x00"sv},
    Magic{Kind::zstd, 0, "\x28\xB5\x2F\xFD"sv},
    Magic{Kind::seven_zip, 0, "7z\xBC\xAF\x27\x1C"sv},
    Magic{Kind::rar, 0, "Rar!\x1A\x07"sv},
    Magic{Kind::hdf5, 0, "\x89HDF\r\n\x1A\n"sv},
    Magic{Kind::numpy, 0, "\x93NUMPY"sv},
    Magic{Kind::image, 0, "\xFF\xD8\xFF"sv},
    Magic{Kind::image, 0, "\x89PNG\r\n\x1A\n"sv},
    Magic{Kind::image, 0, "GIF8"sv},
    Magic{Kind::image, 8, "WEBP"sv},
    Magic{Kind::image, 0, "II*\x00"sv},
    Magic{Kind::image, 0, "MM\x00*"sv},
    Magic{Kind::image, 4, "ftypheic"sv},
    Magic{Kind::image, 4, "ftypavif"sv},
    Magic{Kind::native_library, 0,
          "\x7F"
          "ELF"sv},
};

constexpr std::size_t kHead = 4096;

bool has_at(std::string_view head, std::size_t offset, std::string_view bytes) {
  return head.size() >= offset + bytes.size() && head.compare(offset, bytes.size(), bytes) == 0;
}

bool looks_like_safetensors(const ByteSource& source, std::string_view head) {
  if (head.size() < 10 || head[8] != '{') return false;
  std::uint64_t length = 0;
  for (std::size_t i = 0; i < 8; ++i) {
    length |= static_cast<std::uint64_t>(static_cast<unsigned char>(head[i])) << (8U * i);
  }
  // Zero high bytes keep an ordinary text with '{' at this place out.
  return length >= 2 && length < (1ULL << 40U) && source.size() >= 10;
}

bool looks_like_onnx(std::string_view head) {
  // ModelProto: field 1 ir_version as a small varint, then producer_name, producer_version, domain or graph.
  if (head.size() < 16 || head[0] != '\x08' || head[1] < 1 || head[1] > 32) return false;
  return head[2] == '\x12' || head[2] == '\x1A' || head[2] == '\x22' || head[2] == '\x3A' || head[2] == '\x42';
}

// ultralytics puts the length of a JSON text and the text in front of the engine.
bool looks_like_wrapped_engine(const ByteSource& source, std::string_view head) {
  if (head.size() < 5 || head[4] != '{' || head[3] != '\0') return false;
  std::uint64_t length = 0;
  for (std::size_t i = 0; i < 4; ++i)
    length |= static_cast<std::uint64_t>(static_cast<unsigned char>(head[i])) << (8U * i);
  return source.size() >= length + 8 && source.read_string(4 + length, 4) == "ftrt";
}

// Protocol buffers have no magic number. Core ML: specificationVersion, then the description, whose writer names
// itself. SavedModel: schema version 1, then a list of operators, each with an attribute "type". A frozen graph: nodes
// from the first byte on, "Placeholder" or "Const" among the first.
Kind protobuf_kind(std::string_view head) {
  if (head.size() < 16) return Kind::unknown;
  const auto holds = [&](std::string_view words) { return head.find(words) != std::string_view::npos; };
  if (head[0] == '\x08' && head[2] == '\x12') {
    if (holds("coreml")) return Kind::coreml;
    if (head[1] == '\x01' && holds("\x12\x04type"sv)) return Kind::saved_model;
  }
  if (head[0] == '\x0A' && (holds("\x12\x0BPlaceholder"sv) || holds("\x12\x05"
                                                                    "Const"sv)))
    return Kind::frozen_graph;
  return Kind::unknown;
}

bool looks_like_pickle(std::string_view head) {
  return head.size() >= 2 && head[0] == '\x80' && head[1] >= 1 && head[1] <= 5;
}

// The first of five pickles is the integer 0x1950A86A20F9469CFC6C: PROTO, since protocol 4 FRAME, LONG1, STOP.
bool looks_like_legacy(std::string_view head) {
  constexpr std::string_view kMagic = "\x8A\x0A\x6C\xFC\x9C\x46\xF9\x20\x6A\xA8\x50\x19."sv;
  constexpr std::size_t kFrame = 9;
  if (!looks_like_pickle(head)) return false;
  return has_at(head, 2, kMagic) || (has_at(head, 2, "\x95"sv) && has_at(head, 2 + kFrame, kMagic));
}

Kind by_content(const ByteSource& source, std::string_view head) {
  for (const Magic& magic : kMagics) {
    if (has_at(head, magic.offset, magic.bytes)) return magic.kind;
  }
  if (looks_like_safetensors(source, head)) return Kind::safetensors;
  if (has_at(head, 257, "ustar")) return tar_is_torch_save(source) ? Kind::torch_save_tar : Kind::tar;
  if (looks_like_legacy(head)) return Kind::torch_save_legacy;
  if (looks_like_pickle(head)) return Kind::bare_pickle;
  if (looks_like_wrapped_engine(source, head)) return Kind::tensorrt;
  if (const Kind protobuf = protobuf_kind(head); protobuf != Kind::unknown) return protobuf;
  if (looks_like_onnx(head)) return Kind::onnx;
  if (const Kind text = text_kind(head); text != Kind::unknown) return text;
  if (std::all_of(head.begin(), head.end(), [](char c) { return c == '\0'; })) return Kind::zeros;
  return Kind::unknown;
}

struct ZipRule {
  Kind kind;
  bool (*holds)(const ZipArchive& zip);
};

// Rules of one zip; two that hold at once make a polyglot.
constexpr std::array kZipRules = {
    ZipRule{Kind::exported_program,
            [](const ZipArchive& zip) { return zip.find("archive_format") != nullptr && zip.has_prefix("models/"); }},
    ZipRule{Kind::aot_inductor,
            [](const ZipArchive& zip) {
              return zip.find("archive_format") != nullptr && !zip.has_prefix("models/") &&
                     zip.has_prefix("data/aotinductor/");
            }},
    ZipRule{Kind::torchscript,
            [](const ZipArchive& zip) {
              return zip.find("constants.pkl") != nullptr && zip.find("bytecode.pkl") == nullptr;
            }},
    ZipRule{Kind::lite_interpreter,
            [](const ZipArchive& zip) {
              return zip.find("constants.pkl") != nullptr && zip.find("bytecode.pkl") != nullptr;
            }},
    ZipRule{Kind::torchscript_old, [](const ZipArchive& zip) { return zip.find("model.json") != nullptr; }},
    ZipRule{
        Kind::torch_save_zip,
        [](const ZipArchive& zip) { return zip.find("data.pkl") != nullptr && zip.find("constants.pkl") == nullptr; }},
    ZipRule{Kind::exported_program_old,
            [](const ZipArchive& zip) { return zip.find("serialized_exported_program.json") != nullptr; }},
    ZipRule{Kind::torch_package,
            [](const ZipArchive& zip) {
              return zip.has_prefix(".data/ts_code/") || zip.find(".data/extern_modules") != nullptr;
            }},
    ZipRule{Kind::torchserve_mar,
            [](const ZipArchive& zip) {
              return zip.find("MAR-INF/MANIFEST.json") != nullptr || zip.top_folder() == "MAR-INF";
            }},
};

bool is_keras(const ZipArchive& zip) {
  return zip.find("model.weights.h5") != nullptr && zip.find("metadata.json") != nullptr;
}

bool is_npz(const ZipArchive& zip) {
  return std::all_of(zip.entries().begin(), zip.entries().end(), [](const ZipEntry& entry) {
    constexpr std::string_view kSuffix = ".npy";
    return entry.name.size() > kSuffix.size() &&
           entry.name.compare(entry.name.size() - kSuffix.size(), kSuffix.size(), kSuffix) == 0;
  });
}

// Records of PyTorch under different folders: a reader that takes the first and one that takes the last disagree.
void refuse_two_folders(const ZipArchive& zip) {
  if (!zip.top_folder().empty()) return;
  const std::string& first = zip.entries().front().name;
  const std::string folder = first.substr(0, first.find('/'));
  bool model = false;
  std::string other;
  for (const ZipEntry& entry : zip.entries()) {
    const std::size_t slash = entry.name.find('/');
    const std::string below = slash == std::string::npos ? std::string() : entry.name.substr(slash + 1);
    model = model || below == "data.pkl" || below == "constants.pkl";
    if (other.empty() && entry.name.substr(0, slash) != folder) other = entry.name.substr(0, slash);
  }
  if (model) {
    fail_bad(zip.source().name(), "the records lie under two top folders, ", in_quotes(folder), " and ",
             in_quotes(other), ", expected one; no PyTorch version writes this, refuse the file or ask who made it");
  }
}

[[noreturn]] void refuse_polyglot(const ByteSource& source, Kind first, Kind second) {
  fail_bad(source.name(), "is two things at once, ", info(first).title, " and ", info(second).title,
           ", expected one; no PyTorch version writes this, refuse the file or ask who made it");
}

}  // namespace

const std::vector<KindInfo>& all_kinds() { return table(); }

const KindInfo& info(Kind kind) {
  for (const KindInfo& row : table()) {
    if (row.kind == kind) return row;
  }
  return table().back();
}

Kind detect_zip(const ZipArchive& zip) {
  refuse_two_folders(zip);
  Kind found = Kind::unknown;
  for (const ZipRule& rule : kZipRules) {
    if (!rule.holds(zip)) continue;
    if (found != Kind::unknown) refuse_polyglot(zip.source(), found, rule.kind);
    found = rule.kind;
  }
  if (found == Kind::torchscript && (zip.find("data.pkl") == nullptr || !zip.has_prefix("code/"))) {
    fail_bad(zip.source().name(), "has the record constants.pkl of a TorchScript archive but no ",
             zip.find("data.pkl") == nullptr ? "data.pkl" : "code/",
             "; the file is damaged or made to be read in two ways, save it again with torch.jit.save");
  }
  if (found != Kind::unknown) {
    // A MAR is also told by its folder alone; everything else stands under one top folder.
    return found;
  }
  if (is_keras(zip)) return Kind::keras_zip;
  return is_npz(zip) ? Kind::npz : Kind::other_zip;
}

Kind detect(const ByteSource& source) {
  const std::string head =
      source.read_string(0, static_cast<std::size_t>(std::min<std::uint64_t>(source.size(), kHead)));
  if (!has_at(head, 0, "PK\x03\x04"sv)) {
    const Kind kind = by_content(source, head);
    if (kind != Kind::empty_zip && ends_as_zip(source)) refuse_polyglot(source, kind, Kind::other_zip);
    return kind;
  }
  // Not owned: the archive does not outlive this call.
  const std::shared_ptr<const ByteSource> alias(std::shared_ptr<const void>(), &source);
  const std::shared_ptr<const ZipArchive> zip = ZipArchive::open(alias);
  if (has_at(head, 257, "ustar")) refuse_polyglot(source, Kind::tar, detect_zip(*zip));
  return detect_zip(*zip);
}

void require_readable(const ByteSource& source, Kind kind) {
  const KindInfo& row = info(kind);
  if (row.remedy.empty()) return;
  const std::string more = details(source, kind);
  fail(ErrorCode::unsupported, source.name(), "is ", row.title, more.empty() ? "" : " (" + more + ")",
       ", expected a PyTorch model file; ", row.remedy);
}

}  // namespace ptrun::archive
