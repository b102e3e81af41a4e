// NPZ for numpy.load: the arrays that the model would return for all images in one batch, the output tree flattened.
//
//   paths          [N] text, the images that have results, in order; row i of every other array is paths[i]'s
//   NAME           [N, ...], row by row, an output that has one shape for all images
//   I.NAME         an output of image paths[I] alone: of models that return a list with one entry an image (detectors),
//                  and where shapes differ between images
//   failed_paths, failed_errors   [F] text, the images without results and why
//
// bfloat16, which numpy lacks, is float32. Text that is not UTF-8 has U+FFFD. Characters of a name that a file name
// should not have are '_'. No array is pickled. Rows wait outside memory until the last one is there.
#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <memory>
#include <set>
#include <system_error>
#include <tuple>
#include <unordered_map>
#include <utility>

#include "archive/write_zip.h"
#include "core/text.h"
#include "output/output.h"
#include "output/text_format.h"
#include "ptrun/error.h"

namespace ptrun {
namespace {

// numpy's "descr" of what is written; empty: numpy has no such type.
std::string_view descr_of(DType dtype) {
  switch (dtype) {
    case DType::boolean: return "|b1";
    case DType::uint8: return "|u1";
    case DType::int8: return "|i1";
    case DType::uint16: return "<u2";
    case DType::int16: return "<i2";
    case DType::uint32: return "<u4";
    case DType::int32: return "<i4";
    case DType::uint64: return "<u8";
    case DType::int64: return "<i8";
    case DType::float16: return "<f2";
    case DType::bfloat16:
    case DType::float32: return "<f4";
    case DType::float64: return "<f8";
    case DType::complex64: return "<c8";
    case DType::complex128: return "<c16";
    default: return {};
  }
}

// Bytes that the shape of `tensor` asks for; `descr` is that of its dtype.
std::uint64_t size_of(const TensorOutput& tensor, std::string_view descr) {
  std::uint64_t bytes = tensor.dtype == DType::bfloat16 ? 2 : std::stoul(std::string(descr.substr(2)));
  for (const std::int64_t size : tensor.shape) bytes *= static_cast<std::uint64_t>(size);
  return bytes;
}

// As float32: the upper half of its bits.
std::string widened(std::string_view bfloat16) {
  std::string bytes(bfloat16.size() * 2, '\0');
  for (std::size_t i = 0; i + 1 < bfloat16.size(); i += 2) {
    bytes[2 * i + 2] = bfloat16[i];
    bytes[2 * i + 3] = bfloat16[i + 1];
  }
  return bytes;
}

// Byte for byte what numpy.save writes: version 1.0 of numpy/lib/_format_impl.py, with its room for a growing first
// size.
std::string npy_header(std::string_view descr, const std::vector<std::int64_t>& shape) {
  std::string text("{'descr': '");
  text.append(descr).append("', 'fortran_order': False, 'shape': (");
  for (std::size_t i = 0; i < shape.size(); ++i) text += (i == 0 ? "" : ", ") + std::to_string(shape[i]);
  text += shape.size() == 1 ? ",), }" : "), }";
  constexpr std::size_t kFirstSize = 21;
  if (!shape.empty()) text.append(kFirstSize - std::to_string(shape[0]).size(), ' ');
  constexpr std::size_t kBefore = 10;
  constexpr std::size_t kAlignment = 64;
  text.append(kAlignment - (kBefore + text.size() + 1) % kAlignment, ' ');
  text += '\n';
  const auto length = static_cast<std::uint16_t>(text.size());
  const std::string start{
      '\x93', 'N', 'U', 'M', 'P', 'Y', '\1', '\0', static_cast<char>(length & 0xFFU), static_cast<char>(length >> 8U)};
  return start + text;
}

// Bytes kept until the end: in memory while they are few, then in a file without a name.
class Spool {
 public:
  std::uint64_t append(std::string_view bytes) {
    const std::uint64_t offset = size_;
    size_ += bytes.size();
    memory_ += bytes;
    constexpr std::size_t kInMemory = std::size_t{64} << 20U;
    if (memory_.size() > kInMemory) flush();
    return offset;
  }
  std::string read(std::uint64_t offset, std::size_t count) {
    if (!file_) return memory_.substr(static_cast<std::size_t>(offset), count);
    flush();
    std::string bytes(count, '\0');
    if (::fseeko(file_.get(), static_cast<off_t>(offset), SEEK_SET) != 0 ||
        std::fread(bytes.data(), 1, count, file_.get()) != count) {
      fail("cannot read back");
    }
    return bytes;
  }

 private:
  struct Close {
    void operator()(std::FILE* file) const { std::fclose(file); }
  };

  void flush() {
    if (memory_.empty()) return;
    if (!file_) file_.reset(std::tmpfile());
    if (!file_) fail("cannot make");
    if (std::fwrite(memory_.data(), 1, memory_.size(), file_.get()) != memory_.size() ||
        std::fflush(file_.get()) != 0) {
      fail("cannot write to");
    }
    memory_.clear();
  }
  [[noreturn]] static void fail(const char* what) {
    throw Error(ErrorCode::output_failed, "npz",
                std::string(what) + " a temporary file for the rows (" + std::generic_category().message(errno) +
                    "); free space in the folder of temporary files");
  }

  std::string memory_;
  std::uint64_t size_ = 0;
  std::unique_ptr<std::FILE, Close> file_;
};

// What the header of an array says, each kept once.
struct Form {
  std::string_view descr;
  std::vector<std::int64_t> shape;
  std::size_t bytes = 0;
  bool operator<(const Form& other) const { return std::tie(descr, shape) < std::tie(other.descr, other.shape); }
};

// An output over the images.
struct Column {
  struct Cell {
    std::size_t row = 0;
    std::uint64_t offset = 0;
    const Form* form = nullptr;
  };
  std::string name;
  std::vector<Cell> cells;
  bool stacked = true;
};

class NpzWriter final : public RowWriter {
 public:
  explicit NpzWriter(ByteSink sink) : zip_(std::move(sink)) {}

  void write(const Row& row) override {
    if (!row.outcome.ok()) {
      failed_paths_.push_back(valid_utf8(row.path));
      failed_errors_.push_back(valid_utf8(row.outcome.failure.message));
      return;
    }
    for (const TensorOutput& tensor : row.outcome.prediction->tensors) add(tensor);
    paths_.push_back(valid_utf8(row.path));
  }

  void finish() override {
    // First, so that no output of the model takes their names.
    write_texts("paths", paths_);
    write_texts("failed_paths", failed_paths_);
    write_texts("failed_errors", failed_errors_);
    for (const Column& column : columns_) write_column(column);
    zip_.finish();
  }

 private:
  void add(const TensorOutput& tensor) {
    const std::string_view descr = descr_of(tensor.dtype);
    if (descr.empty()) {
      throw Error(ErrorCode::output_failed, "npz",
                  "output " + printable(tensor.name, 100) + " has a dtype that numpy lacks; write .jsonl");
    }
    if (const std::uint64_t size = size_of(tensor, descr); tensor.data.size() != size) {
      throw Error(ErrorCode::output_failed, "npz",
                  "output " + printable(tensor.name, 100) + " holds " + std::to_string(tensor.data.size()) +
                      " bytes, expected the " + std::to_string(size) +
                      " of its shape; write all that the model returned");
    }
    std::string_view bytes(reinterpret_cast<const char*>(tensor.data.data()), tensor.data.size());
    std::string wide;
    if (tensor.dtype == DType::bfloat16) bytes = wide = widened(bytes);
    const Form* form = &*forms_.insert({descr, tensor.shape, bytes.size()}).first;
    const auto [place, is_new] = places_.emplace(tensor.name, columns_.size());
    if (is_new) columns_.push_back({tensor.name, {}, true});
    Column& column = columns_[place->second];
    column.cells.push_back({paths_.size(), spool_.append(bytes), form});
    column.stacked = column.stacked && !tensor.per_image && form == column.cells.front().form;
  }

  void write_column(const Column& column) {
    if (column.stacked && column.cells.size() == paths_.size()) {
      const Form& one = *column.cells.front().form;
      std::vector<std::int64_t> shape = one.shape;
      shape.insert(shape.begin(), static_cast<std::int64_t>(paths_.size()));
      begin(column.name, one.descr, shape, one.bytes * paths_.size());
      for (const Column::Cell& cell : column.cells) zip_.write(spool_.read(cell.offset, one.bytes));
      zip_.end();
      return;
    }
    for (const Column::Cell& cell : column.cells) {
      begin(std::to_string(cell.row) + "." + column.name, cell.form->descr, cell.form->shape, cell.form->bytes);
      zip_.write(spool_.read(cell.offset, cell.form->bytes));
      zip_.end();
    }
  }

  // An array of numpy's fixed-width text, UCS-4.
  void write_texts(const std::string& name, const std::vector<std::string>& texts) {
    std::vector<std::u32string> rows;
    std::size_t width = 1;
    for (const std::string& text : texts) {
      std::u32string& row = rows.emplace_back();
      for (std::size_t at = 0; at < text.size();) {
        char32_t code = 0;
        at += decode_utf8(text, at, code);
        row += code;
      }
      width = std::max(width, row.size());
    }
    begin(name, "<U" + std::to_string(width), {static_cast<std::int64_t>(rows.size())}, rows.size() * width * 4);
    for (const std::u32string& row : rows) {
      std::string bytes(width * 4, '\0');
      for (std::size_t i = 0; i < row.size(); ++i) {
        for (std::size_t k = 0; k < 4; ++k) bytes[4 * i + k] = static_cast<char>(row[i] >> (8 * k));
      }
      zip_.write(bytes);
    }
    zip_.end();
  }

  // The record of one array; `bytes` of elements follow.
  void begin(const std::string& name, std::string_view descr, const std::vector<std::int64_t>& shape,
             std::uint64_t bytes) {
    const std::string header = npy_header(descr, shape);
    zip_.begin(own_name(name) + ".npy", header.size() + bytes);
    zip_.write(header);
  }

  // A name that no other array has and that does no harm where the zip is unpacked: model files name their outputs.
  std::string own_name(const std::string& name) {
    constexpr std::size_t kLongest = 200;
    std::string plain = valid_utf8(std::string_view(name).substr(0, kLongest));
    for (char& c : plain) {
      const bool harmless = static_cast<unsigned char>(c) > 0x20 && c != 0x7F && c != '/' && c != '\\' && c != ':';
      if (!harmless) c = '_';
    }
    if (plain.empty() || plain.front() == '.') plain.insert(0, 1, '_');
    std::string free = plain;
    for (int i = 2; !names_.insert(free).second; ++i) free = plain + "_" + std::to_string(i);
    return free;
  }

  archive::ZipWriter zip_;
  Spool spool_;
  std::set<Form> forms_;
  std::vector<Column> columns_;                          // in the model's order
  std::unordered_map<std::string, std::size_t> places_;  // in columns_, by name
  std::vector<std::string> paths_;
  std::vector<std::string> failed_paths_;
  std::vector<std::string> failed_errors_;
  std::set<std::string> names_;  // of the arrays written
};

}  // namespace

std::unique_ptr<RowWriter> make_npz_writer(ByteSink sink, const OutputContext& /*context*/) {
  return std::make_unique<NpzWriter>(std::move(sink));
}

}  // namespace ptrun
