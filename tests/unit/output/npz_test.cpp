#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>
#include <map>

#include "archive/zip.h"
#include "output/output.h"
#include "support/expect_error.h"

namespace ptrun {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Pair;

// Records of the file by name.
std::map<std::string, std::string> npz(const std::vector<Row>& rows) {
  std::string bytes;
  OutputContext context;
  context.task = Task::tensors;
  const auto writer = make_npz_writer([&](std::string_view piece) { bytes += piece; }, context);
  for (const Row& row : rows) writer->write(row);
  writer->finish();
  const auto zip = archive::ZipArchive::open(archive::from_memory("rows.npz", std::move(bytes)));
  std::map<std::string, std::string> records;
  for (const archive::ZipEntry& entry : zip->entries()) records[entry.name] = zip->read(entry, 1U << 30U);
  return records;
}

template <typename T>
std::string bytes_of(const std::vector<T>& values) {
  std::string bytes(values.size() * sizeof(T), '\0');
  if (!values.empty()) std::memcpy(bytes.data(), values.data(), bytes.size());
  return bytes;
}

// What numpy.save writes before the elements (numpy 2): `text` padded so that they begin at a multiple of 64.
std::string header(std::string text, std::size_t length = 128) {
  text.resize(length - 11, ' ');
  return std::string("\x93NUMPY\1\0", 8) + static_cast<char>(length - 10) + '\0' + text + '\n';
}

TensorOutput tensor(std::string name, DType dtype, std::vector<std::int64_t> shape, const std::string& bytes) {
  TensorOutput result;
  result.name = std::move(name);
  result.dtype = dtype;
  result.shape = std::move(shape);
  result.data.resize(bytes.size());
  if (!bytes.empty()) std::memcpy(result.data.data(), bytes.data(), bytes.size());
  return result;
}

TensorOutput floats(std::string name, std::vector<std::int64_t> shape, const std::vector<float>& values) {
  return tensor(std::move(name), DType::float32, std::move(shape), bytes_of(values));
}

Row image(std::string path, std::vector<TensorOutput> tensors) {
  Row row;
  row.path = std::move(path);
  row.outcome.prediction.emplace().task = Task::tensors;
  row.outcome.prediction->tensors = std::move(tensors);
  return row;
}

Row failed(std::string path, std::string message) {
  Row row;
  row.path = std::move(path);
  row.outcome.failure = {Stage::decode, std::move(message)};
  return row;
}

std::vector<std::string> names(const std::map<std::string, std::string>& records) {
  std::vector<std::string> found;
  for (const auto& [name, bytes] : records) found.push_back(name);
  return found;
}

TEST(NpzTest, StacksOutputsOfOneShape) {
  const auto records = npz({image("a.jpg", {floats("output", {3}, {1, 2, 3})}), failed("b.jpg", "cut"),
                            image("\xC3\xBC", {floats("output", {3}, {4, 5, 6})})});
  EXPECT_THAT(
      records,
      ElementsAre(Pair("failed_errors.npy", header("{'descr': '<U3', 'fortran_order': False, 'shape': (1,), }") +
                                                bytes_of<char32_t>({U'c', U'u', U't'})),
                  Pair("failed_paths.npy", header("{'descr': '<U5', 'fortran_order': False, 'shape': (1,), }") +
                                               bytes_of<char32_t>({U'b', U'.', U'j', U'p', U'g'})),
                  Pair("output.npy", header("{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }") +
                                         bytes_of<float>({1, 2, 3, 4, 5, 6})),
                  Pair("paths.npy",
                       header("{'descr': '<U5', 'fortran_order': False, 'shape': (2,), }") +
                           bytes_of<char32_t>({U'a', U'.', U'j', U'p', U'g', U'\u00FC', U'\0', U'\0', U'\0', U'\0'}))));
}

TEST(NpzTest, KeepsEntriesOfOneImageApart) {
  const auto boxes = [](std::vector<std::int64_t> shape, const std::vector<float>& values) {
    TensorOutput result = floats("boxes", std::move(shape), values);
    result.per_image = true;
    return result;
  };
  const auto records = npz({image("a", {boxes({1, 4}, {1, 2, 3, 4})}), image("b", {boxes({0, 4}, {})}),
                            image("c", {boxes({1, 4}, {5, 6, 7, 8})})});
  EXPECT_EQ(records.at("0.boxes.npy"),
            header("{'descr': '<f4', 'fortran_order': False, 'shape': (1, 4), }") + bytes_of<float>({1, 2, 3, 4}));
  EXPECT_EQ(records.at("1.boxes.npy"), header("{'descr': '<f4', 'fortran_order': False, 'shape': (0, 4), }"));
  EXPECT_EQ(records.count("2.boxes.npy"), 1U);
  EXPECT_EQ(records.count("boxes.npy"), 0U);
}

TEST(NpzTest, DoesNotStackOtherShapesTypesOrGaps) {
  const auto of = [](const std::vector<Row>& rows) { return names(npz(rows)); };
  const auto none = {"failed_errors.npy", "failed_paths.npy", "paths.npy"};
  const auto with = [&](std::vector<std::string> more) {
    more.insert(more.end(), none.begin(), none.end());
    return testing::UnorderedElementsAreArray(more);
  };
  EXPECT_THAT(of({image("a", {floats("x", {1}, {1})}), image("b", {floats("x", {2}, {1, 2})})}),
              with({"0.x.npy", "1.x.npy"}));
  EXPECT_THAT(
      of({image("a", {floats("x", {1}, {1})}), image("b", {tensor("x", DType::int32, {1}, std::string(4, '\0'))})}),
      with({"0.x.npy", "1.x.npy"}));
  EXPECT_THAT(of({image("a", {}), image("b", {floats("x", {1}, {1})})}), with({"1.x.npy"}));
  EXPECT_THAT(of({}), with({}));
}

TEST(NpzTest, WritesTheTypesThatNumpyHas) {
  const auto one = [](DType dtype, const std::string& bytes) {
    return npz({image("a", {tensor("x", dtype, {}, bytes)})}).at("x.npy");
  };
  EXPECT_THAT(one(DType::boolean, "\1"), HasSubstr("'|b1'"));
  EXPECT_THAT(one(DType::int64, std::string(8, '\0')), HasSubstr("'<i8'"));
  EXPECT_THAT(one(DType::float16, std::string(2, '\0')), HasSubstr("'<f2'"));
  EXPECT_THAT(one(DType::complex64, std::string(8, '\0')), HasSubstr("'<c8'"));
  EXPECT_EQ(one(DType::bfloat16, "\xC0\x3F"),
            header("{'descr': '<f4', 'fortran_order': False, 'shape': (1,), }") + bytes_of<float>({1.5F}));
  test::expect_error(ErrorCode::output_failed, "output x has a dtype that numpy lacks",
                     [&] { one(DType::float8_e5m2, "\1"); });
}

// Programs hand over rows of their own; an array shorter than its header would not open.
TEST(NpzTest, ValuesThatAreMissingAreTold) {
  test::expect_error(ErrorCode::output_failed, "output x holds 8 bytes, expected the 12 of its shape", [] {
    npz({image("a", {floats("x", {3}, {1, 2})})});
  });
  test::expect_error(ErrorCode::output_failed, "output x holds 4 bytes, expected the 2 of its shape",
                     [] { npz({image("a", {tensor("x", DType::bfloat16, {1}, "abcd")})}); });
}

// Names come out of model files.
TEST(NpzTest, NamesDoNoHarm) {
  const auto x = [](const char* name) { return floats(name, {}, {1}); };
  EXPECT_THAT(names(npz({image("a", {x("../../etc/x"), x("paths"), x(""), x("a\n b"), x("a__b"), x("\xFF")})})),
              testing::UnorderedElementsAre("failed_errors.npy", "failed_paths.npy", "paths.npy", "_.._.._etc_x.npy",
                                            "paths_2.npy", "_.npy", "a__b.npy", "a__b_2.npy", "\xEF\xBF\xBD.npy"));
}

TEST(NpzTest, ManyRowsWaitInAFile) {
  std::vector<Row> rows;
  std::vector<float> all;
  for (int i = 0; i < 40; ++i) {
    const std::vector<float> values(1U << 19U, static_cast<float>(i));  // 2 MiB
    rows.push_back(image("a", {floats("x", {1 << 19}, values), floats("y", {1}, {static_cast<float>(-i)})}));
    all.push_back(static_cast<float>(-i));
  }
  const auto records = npz(rows);
  EXPECT_EQ(records.at("y.npy").substr(128), bytes_of(all));
  const std::string& x = records.at("x.npy");
  ASSERT_EQ(x.size(), 128U + 40U * (1U << 21U));
  for (std::size_t i = 0; i < 40; ++i) {
    float value = -1;
    std::memcpy(&value, x.data() + 128 + i * (1U << 21U) + 400, 4);
    EXPECT_EQ(value, static_cast<float>(i));
  }
}

}  // namespace
}  // namespace ptrun
