// Files that are something else: each gets its own answer, with what to do.
#include <set>

#include "hostile/refuse.h"
#include "support/pt_bytes.h"

namespace ptrun::test {
namespace {

using archive::Kind;
using namespace std::string_literals;

struct WrongFile {
  Kind kind;
  std::string bytes;
  std::string words;  // of the message, beside the kind's title
};

ZipRecord plain(std::string name, std::string data = "x") {
  ZipRecord record;
  record.name = std::move(name);
  record.data = std::move(data);
  return record;
}

std::string tar_of(const std::vector<std::string>& names) {
  std::string tar;
  for (const std::string& name : names) {
    std::string header(512, '\0');
    header.replace(0, name.size(), name);
    header.replace(124, 11, "00000000003");
    header.replace(257, 6, "ustar "s);
    tar += header + "abc" + std::string(509, '\0');
  }
  return tar + std::string(1024, '\0');
}

std::vector<WrongFile> wrong_files() {
  const std::string rest(64, '\x01');
  return {
      {Kind::web_page, "<!DOCTYPE html><html><body>Sign in</body></html>", "it begins with '<!DOCTYPE html>"},
      {Kind::web_page, "\n <HTML><head>", "/resolve/ instead of /blob/"},
      {Kind::web_page, "{\"error\":\"Repository not found\"}", "Repository not found"},
      {Kind::web_page, "<?xml version=\"1.0\"?><Error><Code>AccessDenied</Code></Error>", "AccessDenied"},
      {Kind::lfs_pointer, "version https://git-lfs.github.com/spec/v1\noid sha256:0f1e2d\nsize 14212972\n",
       "the real file is sha256:0f1e2d, 14212972 bytes"},
      {Kind::json_text, "{\"architectures\": [\"ResNet\"]}", "a JSON text"},
      {Kind::text, "tench\ngoldfish\nimport duties: none\nfrom above\n", "it begins with 'tench goldfish"},
      {Kind::python_source, "# a net\nimport torch\nmodel = torch.nn.Linear(2, 3)\n", "never executed"},
      {Kind::python_source, "from torch import nn\n", "run it with Python"},
      {Kind::saved_model,
       "\x08\x01\x12\xC0\x01\x0A\x90\x01\x12\x0D\x0A\x03"
       "Add\x12\x04type"s +
           rest,
       "TensorFlow"},
      {Kind::frozen_graph, "\x0A\x20\x0A\x05input\x12\x0BPlaceholder"s + rest, "GraphDef"},
      {Kind::tflite, "\x1C\x00\x00\x00"s + "TFL3" + rest, "LiteRT"},
      {Kind::coreml, "\x08\x04\x12\x30\x0A\x10"s + "com.github.apple.coremltools.version" + rest, "coremltools"},
      {Kind::openvino, "<?xml version=\"1.0\"?>\n<net name=\"Model0\" version=\"11\">\n<layers>", "ovc"},
      {Kind::tensorrt, "ftrt\x00\x00\x00\x00"s + rest, "own TensorRT version"},
      {Kind::tensorrt, "\x0E\x00\x00\x00"s + "{\"stride\": 32}" + "ftrt" + rest, ".engine"},
      {Kind::gguf, "GGUF\x03\x00\x00\x00"s + rest, "llama.cpp"},
      {Kind::keras_zip,
       zip_bytes({plain("metadata.json", "{}"), plain("config.json", "{}"), plain("model.weights.h5")}), "Keras 3"},
      {Kind::onnx, "\x08\x07\x12\x07pytorch\x1A\x05\x32.0.0:"s + rest, "ONNX Runtime"},
      {Kind::hdf5, "\x89HDF\r\n\x1A\n"s + rest, "Keras"},
      {Kind::numpy, "\x93NUMPY\x01\x00"s + rest, "torch.from_numpy(array)"},
      {Kind::npz, zip_bytes({plain("arr_0.npy"), plain("arr_1.npy")}), "numpy.load"},
      {Kind::gzip, "\x1F\x8B\x08"s + rest, "gunzip"},
      {Kind::bzip2, "BZh91AY"s + rest, "bunzip2"},
      {Kind::xz, "\xFD\x37zXZ\x00"s + rest, "unxz"},
      {Kind::zstd, "\x28\xB5\x2F\xFD"s + rest, "unzstd"},
      {Kind::seven_zip, "7z\xBC\xAF\x27\x1C"s + rest, "7z x"},
      {Kind::rar, "Rar!\x1A\x07\x01\x00"s + rest, "unrar"},
      {Kind::tar, tar_of({"model/weights.pt"}), "tar xf"},
      {Kind::torch_save_tar, tar_of({"sys_info", "pickle", "storages", "tensors"}), "PyTorch 0.1"},
      {Kind::image, "\xFF\xD8\xFF\xE0"s + rest, "(JPEG)"},
      {Kind::image, "\x89PNG\r\n\x1A\n"s + rest, "(PNG)"},
      {Kind::image, "RIFF\x10\x00\x00\x00WEBP"s + rest, "(WebP)"},
      {Kind::executorch, "\x10\x00\x00\x00"s + "ET12" + rest, "ExecuTorch runtime"},
      {Kind::executorch_data, "\x10\x00\x00\x00"s + "FT01" + rest, ".ptd"},
      {Kind::mobile_flatbuffer, "\x10\x00\x00\x00"s + "PTMF" + rest, "torch.jit.script(model)"},
      {Kind::pytorch_preview, "PYTORCH1"s + rest, "preview release"},
      {Kind::native_library,
       "\x7F"
       "ELF\x02\x01\x01"s +
           rest,
       "never loaded"},
      {Kind::bare_pickle, "\x80\x04\x95\x05\x00\x00\x00\x00\x00\x00\x00]\x94."s, "not written by torch.save"},
      {Kind::torchserve_mar, zip_bytes({plain("MAR-INF/MANIFEST.json", "{}"), plain("model.pt"), plain("handler.py")}),
       "serializedFile"},
      {Kind::torch_package, zip_bytes({plain("pkg/.data/extern_modules"), plain("pkg/model/model.pkl")}),
       "PackageImporter"},
      {Kind::torchscript_old, zip_bytes({plain("old/model.json", "{}"), plain("old/tensors/0")}), "PyTorch 1.0 to 1.2"},
      {Kind::empty_zip, zip_bytes({}), "without entries"},
      {Kind::other_zip, zip_bytes({plain("resnet50.pt"), plain("README.md")}), "it holds resnet50.pt, README.md"},
      {Kind::zeros, std::string(5000, '\0'), "never finished"},
      {Kind::unknown, "\x01\x02\x03\x04\x05\x06\x07\x08\x0E"s + rest, "01 02 03 04 05 06 07 08"},
  };
}

TEST(WrongKinds, AreNamedWithWhatToDo) {
  for (const WrongFile& file : wrong_files()) {
    const archive::KindInfo& row = archive::info(file.kind);
    SCOPED_TRACE(row.word);
    const auto source = archive::from_memory("model.pt", file.bytes);
    EXPECT_EQ(archive::info(archive::detect(*source)).word, row.word);
    expect_refused(file.bytes, ErrorCode::unsupported, file.words);
    expect_refused(file.bytes, ErrorCode::unsupported, std::string(row.title));
    expect_refused(file.bytes, ErrorCode::unsupported, std::string(row.remedy));
  }
}

TEST(WrongKinds, HaveDistinctMessages) {
  std::set<std::string> messages;
  std::set<Kind> kinds;
  for (const WrongFile& file : wrong_files()) {
    if (!kinds.insert(file.kind).second) continue;
    const auto source = archive::from_memory("model.pt", file.bytes);
    try {
      archive::require_readable(*source, file.kind);
      ADD_FAILURE() << archive::info(file.kind).word;
    } catch (const Error& error) {
      EXPECT_TRUE(messages.insert(error.what()).second) << error.what();
    }
  }
  // Every kind that only is recognised has a file above.
  for (const archive::KindInfo& row : archive::all_kinds()) {
    EXPECT_EQ(kinds.count(row.kind), row.remedy.empty() ? 0U : 1U) << row.word;
  }
}

// Foreign text never reaches a terminal as it is.
TEST(WrongKinds, ShowForeignTextEscaped) {
  expect_refused("<html>\x1B[31m\xE2\x80\xAE", ErrorCode::unsupported, "model.pt: is no known kind of model");
  expect_refused(
      "{\"a\": \"\xE2\x80\xAE"
      "evil\"}",
      ErrorCode::unsupported, "\\u{202");
}

}  // namespace
}  // namespace ptrun::test
