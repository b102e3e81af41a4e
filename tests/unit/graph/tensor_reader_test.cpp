// Tensors of files that real PyTorch versions wrote are compared with Python's numbers in tests/unit/archive and
// tests/unit/loader; here are the forms that the reader itself must turn into dense values.
#include "graph/tensor_reader.h"

#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>

#include "ptrun/error.h"

namespace ptrun {
namespace {

using archive::TensorInfo;
using archive::TensorLayout;

// One float storage of 0, 1, 2, ..., one of bytes, and any tensors on them.
class FakeFile : public archive::TensorFile {
 public:
  FakeFile() : TensorFile(archive::from_memory("fake.pt", "x"), archive::Kind::torch_save_zip, {}) {
    storages_.push_back({"0", DType::float32, 12 * sizeof(float), "cuda:0"});
    storages_.push_back({"1", DType::qint8, 4, "cpu"});
  }
  std::size_t add(TensorInfo info) {
    tensors_.push_back(std::move(info));
    return tensors_.size() - 1;
  }
  void read_storage(std::size_t index, void* to) const override {
    ++reads;
    if (index == 0) {
      for (int i = 0; i < 12; ++i) static_cast<float*>(to)[i] = static_cast<float>(i);
    } else {
      const signed char values[] = {-1, 0, 1, 2};
      std::memcpy(to, values, sizeof values);
    }
  }
  std::optional<std::uint64_t> storage_offset(std::size_t /*index*/) const override { return std::nullopt; }
  void verify() const override {}

  mutable int reads = 0;
};

TensorInfo view(std::vector<std::int64_t> shape, std::vector<std::int64_t> strides, std::int64_t offset = 0) {
  TensorInfo info;
  info.storage = 0;
  info.dtype = DType::float32;
  info.shape = std::move(shape);
  info.strides = std::move(strides);
  info.offset = offset;
  return info;
}

constexpr std::uint64_t kPlenty = 1U << 20U;

TEST(TensorReader, SharedStoragesAreReadOnceAndStayShared) {
  const auto file = std::make_shared<FakeFile>();
  file->add(view({2, 3}, {3, 1}));
  file->add(view({6}, {1}, 6));
  TensorReader reader(file, kPlenty);
  const at::Tensor a = reader.read(0, "a");
  const at::Tensor b = reader.read(1, "b");
  EXPECT_EQ(file->reads, 1);
  EXPECT_EQ(a.storage().data(), b.storage().data());
  EXPECT_TRUE(a.device().is_cpu());
  EXPECT_EQ(b[0].item<float>(), 6.0F);
}

TEST(TensorReader, StridedViewsBecomeContiguous) {
  const auto file = std::make_shared<FakeFile>();
  file->add(view({3, 2}, {1, 3}));
  const at::Tensor tensor = TensorReader(file, kPlenty).read(0, "t");
  EXPECT_TRUE(tensor.is_contiguous());
  EXPECT_TRUE(at::equal(tensor, at::arange(6, at::kFloat).reshape({2, 3}).t()));
}

TEST(TensorReader, ConjugateAndNegativeBitsAreCarriedOut) {
  const auto file = std::make_shared<FakeFile>();
  TensorInfo negative = view({2}, {1}, 1);
  negative.negative = true;
  file->add(negative);
  TensorInfo conjugate = view({2}, {1});
  conjugate.dtype = DType::complex64;
  conjugate.conjugate = true;
  file->add(conjugate);
  TensorReader reader(file, kPlenty);
  EXPECT_TRUE(at::equal(reader.read(0, "n"), at::tensor({-1.0F, -2.0F})));
  const at::Tensor conj = reader.read(1, "c");
  EXPECT_FALSE(conj.is_conj());
  EXPECT_TRUE(at::equal(at::view_as_real(conj), at::tensor({0.0F, -1.0F, 2.0F, -3.0F}).reshape({2, 2})));
}

TEST(TensorReader, QuantisedTensorsBecomeFloat) {
  const auto file = std::make_shared<FakeFile>();
  TensorInfo whole = view({2, 2}, {2, 1});
  whole.storage = 1;
  whole.dtype = DType::qint8;
  whole.layout = TensorLayout::quantized_per_tensor;
  whole.scale = 0.5;
  whole.zero_point = 1;
  file->add(whole);
  TensorInfo rows = whole;
  rows.layout = TensorLayout::quantized_per_channel;
  rows.scales = file->add(view({2}, {1}, 2));       // 2, 3
  rows.zero_points = file->add(view({2}, {1}, 0));  // 0, 1
  rows.axis = 0;
  const std::size_t index = file->add(rows);
  TensorReader reader(file, kPlenty);
  EXPECT_TRUE(at::equal(reader.read(0, "q"), at::tensor({-1.0F, -0.5F, 0.0F, 0.5F}).reshape({2, 2})));
  EXPECT_TRUE(at::equal(reader.read(index, "q"), at::tensor({-2.0F, 0.0F, 0.0F, 3.0F}).reshape({2, 2})));
}

TEST(TensorReader, ChannelScalesWrittenAsListsCount) {
  const auto file = std::make_shared<FakeFile>();
  TensorInfo rows = view({2, 2}, {2, 1});
  rows.storage = 1;
  rows.dtype = DType::qint8;
  rows.layout = TensorLayout::quantized_per_channel;
  rows.scale_values = {2, 3};
  rows.zero_point_values = {0, 1};
  file->add(rows);
  TensorReader reader(file, kPlenty);
  EXPECT_TRUE(at::equal(reader.read(0, "q"), at::tensor({-2.0F, 0.0F, 0.0F, 3.0F}).reshape({2, 2})));
}

TEST(TensorReader, WhatHasNoDenseValuesIsRefusedByName) {
  const auto file = std::make_shared<FakeFile>();
  TensorInfo sparse = view({2}, {1});
  sparse.layout = TensorLayout::sparse;
  sparse.what = "torch.sparse_coo";
  file->add(sparse);
  TensorReader reader(file, kPlenty);
  try {
    reader.read(0, "layer.weight");
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::unsupported);
    EXPECT_THAT(error.what(), ::testing::HasSubstr("layer.weight"));
    EXPECT_THAT(error.what(), ::testing::HasSubstr("torch.sparse_coo"));
  }
}

TEST(TensorReader, MemoryLimitHoldsForStoragesAndExpandedViews) {
  const auto file = std::make_shared<FakeFile>();
  file->add(view({3, 2}, {1, 3}));
  // A view of 2^40 elements on 12.
  file->add(view({std::int64_t{1} << 40}, {0}));
  EXPECT_THROW(TensorReader(file, 47).read(0, "t"), Error);
  TensorReader reader(file, kPlenty);
  EXPECT_NO_THROW(reader.read(0, "t"));
  try {
    reader.read(1, "huge");
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::limit_exceeded);
    EXPECT_THAT(error.what(), ::testing::HasSubstr("huge"));
  }
}

}  // namespace
}  // namespace ptrun
