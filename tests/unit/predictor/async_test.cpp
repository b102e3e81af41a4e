// predict_async: futures, callbacks, and calling off one image among others.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <future>
#include <memory>
#include <string>
#include <vector>

#include "ptrun/predictor.h"
#include "support/pictures.h"
#include "support/tiny_model.h"

namespace ptrun {
namespace {

Input picture(std::uint8_t red, std::uint8_t green) {
  Input input;
  input.bytes = std::make_shared<const std::string>(test::bmp(16, 16, red, green, 0));
  return input;
}

TEST(AsyncTest, AFutureGivesWhatPredictGives) {
  Predictor predictor(test::mean_colour_model());
  std::vector<std::future<Outcome>> answers;
  for (int i = 0; i < 20; ++i) answers.push_back(predictor.predict_async(picture(static_cast<std::uint8_t>(i), 100)));
  for (int i = 0; i < 20; ++i) {
    const Outcome later = answers[static_cast<std::size_t>(i)].get();
    const Outcome now = predictor.predict(picture(static_cast<std::uint8_t>(i), 100));
    ASSERT_TRUE(later.ok()) << later.failure.message;
    EXPECT_EQ(later.prediction->classes[0].index, now.prediction->classes[0].index);
    EXPECT_EQ(later.prediction->classes[0].score, now.prediction->classes[0].score);
  }
}

TEST(AsyncTest, OnlyTheImageThatWasCalledOffIsCancelled) {
  PredictOptions options;
  options.workers = 1;
  Predictor predictor(test::mean_colour_model(), options);
  // The only worker waits in the first answer, so the others are in the queue when one is called off.
  std::promise<void> go;
  std::promise<void> begun;
  predictor.submit(picture(1, 0), [&, wait = go.get_future().share()](Outcome&&) {
    begun.set_value();
    wait.wait();
  });
  begun.get_future().wait();
  const Cancellation cancellation;
  std::future<Outcome> cancelled = predictor.predict_async(picture(200, 0), cancellation);
  std::future<Outcome> kept = predictor.predict_async(picture(0, 200), Cancellation());
  cancellation.cancel();
  go.set_value();
  const Outcome off = cancelled.get();
  EXPECT_FALSE(off.ok());
  EXPECT_TRUE(off.cancelled);
  EXPECT_THAT(off.failure.message, testing::HasSubstr("cancelled"));
  const Outcome stays = kept.get();
  ASSERT_TRUE(stays.ok()) << stays.failure.message;
  EXPECT_EQ(stays.prediction->classes[0].label, "green");
}

TEST(AsyncTest, EveryFutureGetsAnAnswerWhenThePredictorGoes) {
  std::vector<std::future<Outcome>> answers;
  {
    PredictOptions options;
    options.workers = 1;
    Predictor predictor(test::mean_colour_model(), options);
    for (int i = 0; i < 2; ++i) answers.push_back(predictor.predict_async(picture(9, 9)));
  }
  for (std::future<Outcome>& answer : answers) {
    const Outcome outcome = answer.get();
    EXPECT_TRUE(outcome.ok() || outcome.cancelled) << outcome.failure.message;
  }
}

}  // namespace
}  // namespace ptrun
