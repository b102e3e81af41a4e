// What a worker does with an image takes nothing from the heap once its buffers have their size.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <iostream>
#include <memory>
#include <string>
#include <vector>

#include "predictor/input.h"
#include "preprocess/preprocess.h"
#include "support/allocation_counter.h"
#include "support/tiny_model.h"

namespace ptrun {
namespace {

namespace fs = std::filesystem;

// The parts of a worker from the file to the slot of the batch.
struct Chain {
  explicit Chain(const PredictOptions& given) : options(given) {
    preset.input_width = preset.input_height = 96;
    decode = decode_options(options, preset);
    decode.sink = &rows;
    slot.resize(std::size_t{3} * 96 * 96);
  }

  void take(const Input& input) {
    const std::string_view bytes = encoded_bytes(input, input.path, options.max_image_bytes, file);
    decode_input(input, bytes, input.path, decode, pixels);
    preprocess(pixels, preset, scratch, slot.data());
  }

  PredictOptions options;
  Preset preset;
  image::DecodeOptions decode;
  std::vector<char> file;
  image::Pixels pixels;
  PreprocessScratch scratch;
  PreprocessRows rows{preset, scratch};
  std::vector<float> slot;
};

// Baseline JPEGs: colour, grey, CMYK, turned ones, restart markers. Progressive ones need memory for the coefficients
// of the whole picture, which libjpeg takes and gives back.
std::vector<Input> jpegs() {
  std::vector<Input> inputs;
  for (const char* folder : {PTRUN_TEST_DATA "/photos", PTRUN_TEST_DATA "/derived"}) {
    for (const auto& entry : fs::directory_iterator(folder)) {
      const std::string name = entry.path().filename().string();
      if (entry.path().extension() != ".jpg" || name == "progressive.jpg" || name == "png_named.jpg") continue;
      Input input;
      input.path = entry.path().string();
      inputs.push_back(std::move(input));
    }
  }
  std::sort(inputs.begin(), inputs.end(), [](const Input& a, const Input& b) { return a.path < b.path; });
  return inputs;
}

TEST(AllocationTest, FromTheFileToTheSlotThereIsNone) {
  if (!test::counts_allocations()) GTEST_SKIP() << "a sanitizer stands before the allocator";
  for (const bool fast : {false, true}) {
    PredictOptions options;
    options.fast_decode = fast;
    Chain chain(options);
    const std::vector<Input> inputs = jpegs();
    ASSERT_GE(inputs.size(), 20U);
    for (int pass = 0; pass < 3; ++pass) {
      for (const Input& input : inputs) chain.take(input);
    }
    for (const Input& input : inputs) {
      const test::AllocationCounter counter;
      chain.take(input);
      EXPECT_EQ(counter.of_this_thread(), 0U) << input.path << (fast ? ", fast" : "");
    }
  }
}

// Proof that the counter sees what libraries take.
TEST(AllocationTest, AFreshDecoderIsCounted) {
  if (!test::counts_allocations()) GTEST_SKIP() << "a sanitizer stands before the allocator";
  const std::vector<Input> inputs = jpegs();
  const test::AllocationCounter counter;
  Chain chain{PredictOptions()};
  chain.take(inputs.front());
  EXPECT_GT(counter.of_this_thread(), 10U);
  EXPECT_GE(counter.of_all_threads(), counter.of_this_thread());
}

// Everything around it: queue, answer, callback, and the model, whose own share is counted without them.
TEST(AllocationTest, AnAnswerCostsAFew) {
  if (!test::counts_allocations()) GTEST_SKIP() << "a sanitizer stands before the allocator";
  PredictOptions options;
  options.workers = 1;
  options.batch_size = 1;
  Predictor predictor(test::mean_colour_model(), options);
  std::string path = PTRUN_TEST_DATA "/photos/cat.jpg";
  const auto one = [&] {
    Input input;
    input.path = path;
    return predictor.predict(input).ok();
  };
  for (int i = 0; i < 20; ++i) ASSERT_TRUE(one());
  constexpr std::size_t kImages = 50;
  const test::AllocationCounter images;
  for (std::size_t i = 0; i < kImages; ++i) ASSERT_TRUE(one());
  const std::size_t all = images.of_all_threads();

  predictor.time_model(3, 1);
  const test::AllocationCounter short_run;
  predictor.time_model(3, 10);
  const std::size_t few = short_run.of_all_threads();
  const test::AllocationCounter long_run;
  predictor.time_model(3, 10 + static_cast<int>(kImages));
  const std::size_t model = long_run.of_all_threads() - few;
  RecordProperty("allocations_of_an_image", static_cast<int>(all / kImages));
  RecordProperty("of_them_in_the_model", static_cast<int>(model / kImages));
  std::cout << static_cast<double>(all) / kImages << " allocations an image, " << static_cast<double>(model) / kImages
            << " of them in the model\n";
  EXPECT_LE(all - std::min(all, model), 20 * kImages);
}

}  // namespace
}  // namespace ptrun
