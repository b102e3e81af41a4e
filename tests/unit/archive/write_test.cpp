// What the writers write, read back by our reader: equal elements, dtypes and shapes for every file of the fixtures.
#include <gtest/gtest.h>

#include <cstring>
#include <filesystem>

#include "archive/dense_tensors.h"
#include "archive/write_weights.h"
#include "support/expect_error.h"
#include "support/pt_bytes.h"

namespace ptrun::archive {
namespace {

using test::expect_error;

std::string written(const TensorFile& file, const FoundWeights& found, const std::string& name,
                    const std::string& facts = {}) {
  std::string bytes;
  weight_format_for(name)->write({file, found.table, facts}, [&](std::string_view part) { bytes += part; });
  return bytes;
}

std::shared_ptr<const TensorFile> open_bytes(std::string bytes) {
  const auto source = from_memory("written", std::move(bytes));
  return TensorFile::open(source, detect(*source));
}

std::shared_ptr<const TensorFile> open_archive(const std::filesystem::path& path) {
  const auto source = open_file(path.string());
  const Kind kind = detect(*source);
  if (kind != Kind::torch_save_zip && kind != Kind::torch_save_legacy && kind != Kind::safetensors) return nullptr;
  return TensorFile::open(source, kind);
}

void expect_same(const TensorFile& a, const FoundWeights& in_a, const TensorFile& b, bool dequantized) {
  const FoundWeights in_b = find_weights(b);
  ASSERT_EQ(in_a.table.entries().size(), in_b.table.entries().size());
  DenseTensors left(a);
  DenseTensors right(b);
  for (const WeightTable::Entry& entry : in_a.table.entries()) {
    SCOPED_TRACE(entry.name);
    const WeightTable::Entry* other = in_b.table.find(entry.name);
    ASSERT_NE(other, nullptr);
    EXPECT_EQ(entry.shape, other->shape);
    const bool quantized = a.tensors()[entry.tensor].layout != TensorLayout::strided;
    if (quantized && dequantized) {
      EXPECT_EQ(other->dtype, DType::float32);
      EXPECT_EQ(left.dequantized(entry.tensor, ""), right.read(other->tensor, ""));
      continue;
    }
    EXPECT_EQ(entry.dtype, other->dtype);
    EXPECT_EQ(left.read(entry.tensor, ""), right.read(other->tensor, ""));
    if (quantized) {
      EXPECT_EQ(left.dequantized(entry.tensor, ""), right.dequantized(other->tensor, ""));
    }
  }
}

std::vector<std::filesystem::path> fixture_files() {
  std::vector<std::filesystem::path> files;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(PTRUN_TEST_DATA "/archives")) {
    if (entry.is_regular_file() && entry.path().extension() != ".json") files.push_back(entry.path());
  }
  return files;
}

TEST(WriteWeights, EveryFixtureSurvivesTheRoundTrip) {
  std::size_t as_torch = 0;
  std::size_t as_safetensors = 0;
  for (const std::filesystem::path& path : fixture_files()) {
    SCOPED_TRACE(path.string());
    const auto file = open_archive(path);
    if (file == nullptr || path.filename() == "tensor.pt") continue;
    const FoundWeights found = find_weights(*file);
    // PyTorch 1.4 wrote channel scales as lists; the newer form has no place for them.
    if (path.string().find("1.4.0") == std::string::npos || path.filename() != "quantized.pt") {
      expect_same(*file, found, *open_bytes(written(*file, found, "out.pt")), false);
      ++as_torch;
    }
    try {
      expect_same(*file, found, *open_bytes(written(*file, found, "out.safetensors")), true);
      ++as_safetensors;
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::unsupported);
      EXPECT_NE(error.problem().find("safetensors cannot hold; convert to a .pt file"), std::string::npos);
    }
  }
  EXPECT_GE(as_torch, 150U);
  EXPECT_GE(as_safetensors, 140U);
}

TEST(WriteWeights, FactsTravelInside) {
  const auto file = open_archive(PTRUN_TEST_DATA "/archives/2.15.0/ordered.pt");
  const FoundWeights found = find_weights(*file);
  for (const char* name : {"out.pt", "out.SafeTensors"}) {
    EXPECT_EQ(open_bytes(written(*file, found, name, R"({"labels":["a"]})"))->own_facts(), R"({"labels":["a"]})");
    EXPECT_EQ(open_bytes(written(*file, found, name))->own_facts(), "");
  }
  EXPECT_EQ(weight_format_for("out.onnx"), nullptr);
  EXPECT_EQ(weight_format_for(".pt"), nullptr);
}

TEST(WriteWeights, TiedTensorsStayOne) {
  const auto file = open_bytes(test::torch_zip(test::PickleBytes()
                                                   .raw("}")
                                                   .text("a")
                                                   .tensor("FloatStorage", "0", 6, 0, {2, 3}, {3, 1})
                                                   .raw("s")
                                                   .text("b")
                                                   .tensor("FloatStorage", "0", 6, 0, {2, 3}, {3, 1})
                                                   .raw("s")
                                                   .text("turned")
                                                   .tensor("FloatStorage", "0", 6, 0, {3, 2}, {1, 3})
                                                   .raw("s")
                                                   .stop(),
                                               {{"0", std::string(24, '\0')}}));
  const auto again = open_bytes(written(*file, find_weights(*file), "out.pt"));
  EXPECT_EQ(again->storages().size(), 2U);
  EXPECT_EQ(again->tensors()[0].storage, again->tensors()[1].storage);
}

// A checkpoint's optimizer, and the rest of a storage that only a slice is taken of, stay behind.
TEST(WriteWeights, OnlyTheWeightsAreWritten) {
  const auto file = open_bytes(test::torch_zip(
      test::PickleBytes().raw("}").text("slice").tensor("FloatStorage", "0", 1000, 7, {2}, {1}).raw("s").stop(),
      {{"0", std::string(4000, '\x3F')}}));
  const std::string bytes = written(*file, find_weights(*file), "out.safetensors");
  EXPECT_LT(bytes.size(), 200U);
}

std::string bytes_of(const std::vector<float>& values) {
  std::string bytes(values.size() * sizeof(float), '\0');
  std::memcpy(bytes.data(), values.data(), bytes.size());
  return bytes;
}

// What PyTorch 2.15 gives for quantize_per_channel([[0, .2, 1.3], [.5, -.1, 3]], scales, zero_points, 0, quint8); it
// saves such a tensor under the scheme's plain name.
TEST(DenseTensors, ZeroPointsWithAFraction) {
  for (const char* scheme : {"per_channel_affine", "per_channel_affine_float_qparams"}) {
    const auto file = open_bytes(test::torch_zip(
        test::PickleBytes()
            .raw("}")
            .text("w")
            .global("torch._utils", "_rebuild_qtensor")
            .mark()
            .storage("QUInt8Storage", "0", 6)
            .integer(0)
            .integers({2, 3})
            .integers({3, 1})
            .mark()
            .global("torch", scheme)
            .tensor("FloatStorage", "1", 2, 0, {2}, {1})
            .tensor("FloatStorage", "2", 2, 0, {2}, {1})
            .integer(0)
            .tuple()
            .boolean(false)
            .ordered_dict()
            .tuple()
            .reduce()
            .raw("s")
            .stop(),
        {{"0", std::string("\2\4\16\0\0\12", 6)}, {"1", bytes_of({0.1F, 0.25F})}, {"2", bytes_of({1.5F, -2.3F})}}));
    const FoundWeights found = find_weights(*file);
    const WeightTable::Entry* entry = found.table.find("w");
    ASSERT_NE(entry, nullptr);
    EXPECT_EQ(DenseTensors(*file).dequantized(entry->tensor, "w"),
              bytes_of({0x1.99999ap-5F, 0x1.0p-2F, 0x1.4p+0F, 0x1.266666p-1F, 0x1.266666p-1F, 0x1.89999ap+1F}));
  }
}

TEST(ZipWriter, ManyRecordsNeedZip64) {
  std::string bytes;
  ZipWriter writer([&](std::string_view part) { bytes += part; });
  for (int i = 0; i < 66'000; ++i) writer.add(std::to_string(i), "x");
  writer.finish();
  const auto zip = ZipArchive::open(from_memory("many.zip", bytes));
  ASSERT_EQ(zip->entries().size(), 66'000U);
  EXPECT_EQ(zip->read(zip->require("65999"), 10), "x");
}

TEST(ZipWriter, HoldsTheCallerToTheSize) {
  ZipWriter writer([](std::string_view) {});
  writer.begin("a", 3);
  writer.write("ab");
  expect_error(ErrorCode::internal, "2 bytes are written to its zip record, expected 3", [&] { writer.end(); });
  expect_error(ErrorCode::internal, "more bytes than the 3", [&] { writer.write("cd"); });
}

}  // namespace
}  // namespace ptrun::archive
