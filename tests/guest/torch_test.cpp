// ptrun/torch.h: the tensors of a program that uses LibTorch itself.
#include "ptrun/torch.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "ptrun/error.h"

namespace ptrun {
namespace {

const std::string kCat = PTRUN_TEST_DATA "/photos/cat.jpg";

TEST(TorchHeaderTest, TensorsGiveThePredictorsScores) {
  const Model model = load_model(PTRUN_TEST_WEIGHTS);
  PredictOptions options;
  options.activation = Activation::none;
  options.topk = 1000;
  Input cat;
  cat.path = kCat;
  const Outcome expected = Predictor(model, options).predict(cat);
  ASSERT_TRUE(expected.ok()) << expected.failure.message;

  options.batch_size = 3;
  const TensorRunner runner(model, options);
  const at::Tensor image = runner.prepare(cat);
  ASSERT_EQ(image.sizes(), (std::vector<std::int64_t>{3, 224, 224}));
  const at::Tensor logits = runner.run(at::stack({image, at::zeros_like(image)})).toTensor();
  ASSERT_EQ(logits.sizes(), (std::vector<std::int64_t>{2, 1000}));
  EXPECT_FALSE(logits.requires_grad());
  for (const ClassScore& score : expected.prediction->classes) {
    ASSERT_NEAR(logits[0][score.index].item<float>(), score.score, 1e-4);
  }
}

TEST(TorchHeaderTest, LimitsOfImagesHoldAsInAPredictor) {
  const Model model = load_model(PTRUN_TEST_WEIGHTS);
  PredictOptions options;
  options.max_image_bytes = 10;
  Input bytes;
  bytes.bytes = std::make_shared<const std::string>("more than ten");
  const Outcome expected = Predictor(model, options).predict(bytes);
  ASSERT_FALSE(expected.ok());
  try {
    TensorRunner(model, options).prepare(bytes);
    ADD_FAILURE() << "was prepared";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::limit_exceeded);
    EXPECT_EQ(error.what(), expected.failure.message);
  }
}

TEST(TorchHeaderTest, BatchesThatCannotRunAreNamed) {
  const TensorRunner runner(load_model(PTRUN_TEST_WEIGHTS));
  for (const at::Tensor& batch : {at::zeros({2, 3, 224, 224}), at::zeros({3, 224, 224}),
                                  at::zeros({1, 3, 224, 224}, at::kDouble), at::Tensor()}) {
    try {
      runner.run(batch);
      ADD_FAILURE() << "was run";
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::invalid_argument);
      EXPECT_THAT(error.what(), testing::StartsWith("batch: "));
    }
  }
}

TEST(TorchHeaderTest, RawOutputsBecomeTensors) {
  TensorOutput output;
  output.name = "boxes";
  output.dtype = DType::int32;
  output.shape = {2, 1};
  const std::int32_t values[] = {7, -9};
  output.data.resize(sizeof(values));
  std::memcpy(output.data.data(), values, sizeof(values));
  const at::Tensor tensor = to_tensor(output);
  EXPECT_EQ(tensor.scalar_type(), at::kInt);
  EXPECT_EQ(tensor[1][0].item<int>(), -9);
  output.data.pop_back();
  EXPECT_THROW(to_tensor(output), c10::Error);
}

}  // namespace
}  // namespace ptrun
