#include "ptrun/predictor.h"

#include <ATen/Parallel.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <filesystem>
#include <fstream>
#include <future>
#include <map>
#include <mutex>
#include <random>
#include <sstream>
#include <thread>

#include "core/thread_plan.h"
#include "ptrun/error.h"
#include "support/pictures.h"
#include "support/scratch.h"
#include "support/tiny_model.h"

namespace ptrun {
namespace {

namespace fs = std::filesystem;
using test::bmp;
using testing::HasSubstr;
using testing::StartsWith;

const std::string kPhotos = PTRUN_TEST_DATA "/photos/";

Input from_bytes(std::string bytes) {
  Input input;
  input.bytes = std::make_shared<const std::string>(std::move(bytes));
  return input;
}

Input from_path(std::string path) {
  Input input;
  input.path = std::move(path);
  return input;
}

std::string read_text(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

// Index, label and the very bits of every score.
std::string exact_text(const Outcome& outcome) {
  if (!outcome.ok()) return std::string(to_string(outcome.failure.stage)) + " " + outcome.failure.message;
  std::ostringstream text;
  text << std::hexfloat;
  for (const ClassScore& score : outcome.prediction->classes) {
    text << score.index << ' ' << score.label << ' ' << score.score << '\n';
  }
  return text.str();
}

TEST(PredictorTest, FilesBytesAndPixelsGiveTheSame) {
  Predictor predictor(test::mean_colour_model());
  const std::string path = test::scratch_path("same.bmp");
  test::write_file(path, bmp(16, 16, 255, 51, 0));
  std::string rgba;
  for (int i = 0; i < 16 * 20; ++i) rgba += std::string("\xFF\x33\x00\x07", 4);  // 4 pixels more than a row needs
  Input pixels;
  pixels.pixels = {reinterpret_cast<const unsigned char*>(rgba.data()), 16, 16, 80, ImageView::Format::rgba};

  const Outcome file = predictor.predict(from_path(path));
  ASSERT_TRUE(file.ok()) << file.failure.message;
  EXPECT_EQ(file.prediction->classes[0].label, "red");
  EXPECT_EQ(file.prediction->geometry.original_width, 16);
  EXPECT_EQ(exact_text(predictor.predict(from_bytes(bmp(16, 16, 255, 51, 0)))), exact_text(file));
  EXPECT_EQ(exact_text(predictor.predict(pixels)), exact_text(file));
  pixels.pixels.format = ImageView::Format::bgra;
  EXPECT_EQ(predictor.predict(pixels).prediction->classes[0].label, "blue");
  const std::string red_over_blue("\xFF\0\0\xFF\0\0\0\0\xFF\0\0\xFF", 12);
  pixels.pixels = {reinterpret_cast<const unsigned char*>(red_over_blue.data()), 2, 2, 6, ImageView::Format::rgb};
  const std::string with_stride = exact_text(predictor.predict(pixels));
  pixels.pixels.stride = 0;
  EXPECT_EQ(exact_text(predictor.predict(pixels)), with_stride);
  fs::remove(path);
}

TEST(PredictorTest, EachFailureNamesItsStageAndCauseAndStopsNothing) {
  const std::string folder = test::scratch_path("failures").string() + "/";
  fs::create_directories(folder + "folder.jpg");
  ASSERT_EQ(mkfifo((folder + "fifo.jpg").c_str(), 0600), 0);
  test::write_file(folder + "empty.jpg", "");
  test::write_file(folder + "text.jpg", "this is no picture");
  test::write_file(folder + "good.bmp", bmp(8, 8, 0, 255, 0));
  test::write_file(folder + "large.bmp", bmp(400, 400, 0, 0, 0));
  test::write_file(folder + "cut.jpg", read_text(kPhotos + "cat.jpg").substr(0, 5000));

  PredictOptions options;
  options.max_image_pixels = 300 * 500;
  Predictor predictor(test::mean_colour_model(), options);
  struct Case {
    std::string name;
    Stage stage;
    const char* message;
  };
  const std::vector<Case> cases = {
      {"missing.jpg", Stage::read, "missing.jpg: no such file"},
      {"folder.jpg", Stage::read, "folder.jpg: a folder was found, expected an image file"},
      {"fifo.jpg", Stage::read, "fifo.jpg: a FIFO was found, expected an image file"},
      {std::string("nul\0.jpg", 8), Stage::read, "holds a NUL byte"},
      {"good.bmp/x.jpg", Stage::read, "Not a directory"},
      {"empty.jpg", Stage::decode, "empty.jpg: "},
      {"text.jpg", Stage::decode, "text.jpg: "},
      {"cut.jpg", Stage::decode, "cut.jpg: "},
      {"large.bmp", Stage::decode, "160000"},
  };
  std::vector<Input> inputs;
  for (const Case& c : cases) {
    inputs.push_back(from_path(folder + c.name));
    inputs.push_back(from_path(folder + "good.bmp"));
  }
  const std::vector<Outcome> outcomes = predictor.predict(inputs);
  ASSERT_EQ(outcomes.size(), inputs.size());
  for (std::size_t i = 0; i < cases.size(); ++i) {
    const Outcome& bad = outcomes[2 * i];
    EXPECT_FALSE(bad.ok()) << cases[i].name;
    EXPECT_EQ(bad.failure.stage, cases[i].stage) << bad.failure.message;
    EXPECT_THAT(bad.failure.message, HasSubstr(cases[i].message));
    EXPECT_THAT(bad.failure.message, StartsWith(folder)) << "the row's message begins with its path";
    ASSERT_TRUE(outcomes[2 * i + 1].ok()) << outcomes[2 * i + 1].failure.message;
    EXPECT_EQ(outcomes[2 * i + 1].prediction->classes[0].label, "green");
  }
  fs::remove_all(folder);
}

TEST(PredictorTest, InputsThatCannotBeAreRefused) {
  PredictOptions options;
  options.max_image_bytes = 1000;
  Predictor predictor(test::mean_colour_model(), options);
  EXPECT_THAT(predictor.predict(Input{}).failure.message, HasSubstr("0 of path, bytes and pixels were given"));
  Input two = from_bytes("x");
  two.path = "y";
  EXPECT_THAT(predictor.predict(two).failure.message, HasSubstr("2 of path"));
  EXPECT_THAT(predictor.predict(from_bytes(std::string(1001, 'x'))).failure.message, HasSubstr("max_image_bytes"));
  EXPECT_THAT(predictor.predict(from_path(kPhotos + "cat.jpg")).failure.message, HasSubstr("max_image_bytes"));
  const unsigned char byte = 0;
  Input view;
  view.name = "frame 7";
  view.pixels = {&byte, 10, 10, 29, ImageView::Format::rgb};
  EXPECT_THAT(predictor.predict(view).failure.message, StartsWith("frame 7: a stride of 29 bytes"));
  view.pixels = {&byte, -1, 10, 100, ImageView::Format::rgb};
  EXPECT_THAT(predictor.predict(view).failure.message, HasSubstr("-1 x 10 pixels"));
}

TEST(PredictorTest, AModelThatThrowsForOneImageAnswersTheOthers) {
  PredictOptions options;
  options.batch_size = 4;
  options.workers = 1;
  Predictor predictor(test::model_that_throws_on_white(), options);
  std::vector<Input> inputs;
  for (int i = 0; i < 16; ++i) {
    const auto level = static_cast<std::uint8_t>(i == 5 ? 255 : 40);
    inputs.push_back(from_bytes(bmp(8, 8, level, level, level)));
  }
  const auto outcomes = predictor.predict(inputs);
  for (std::size_t i = 0; i < outcomes.size(); ++i) {
    EXPECT_EQ(outcomes[i].ok(), i != 5) << i << ": " << outcomes[i].failure.message;
  }
  EXPECT_EQ(outcomes[5].failure.stage, Stage::model);
  EXPECT_THAT(outcomes[5].failure.message, StartsWith("image: throws_on_white: the model failed"));
}

TEST(PredictorTest, ScoresThatAreNoNumbersFailOnlyTheirImage) {
  PredictOptions options;
  options.batch_size = 2;
  Predictor predictor(test::model_that_is_infinite_on_black(), options);
  const auto outcomes = predictor.predict({from_bytes(bmp(8, 8, 9, 9, 9)), from_bytes(bmp(8, 8, 0, 0, 0))});
  EXPECT_TRUE(outcomes[0].ok());
  EXPECT_FALSE(outcomes[1].ok());
  EXPECT_EQ(outcomes[1].failure.stage, Stage::model);
}

TEST(PredictorTest, OptionsOutOfRangeAreNamed) {
  const auto message = [](auto change) {
    PredictOptions options;
    change(options);
    try {
      Predictor predictor(test::mean_colour_model(), options);
    } catch (const Error& error) {
      return std::string(to_string(error.code())) + " " + error.what();
    }
    return std::string("no error");
  };
  EXPECT_EQ(message([](PredictOptions& o) { o.batch_size = -1; }),
            "invalid_argument batch_size: -1 was given, expected 0 to 4096");
  EXPECT_THAT(message([](PredictOptions& o) { o.workers = 5000; }), HasSubstr("workers: 5000"));
  EXPECT_THAT(message([](PredictOptions& o) { o.topk = 0; }), HasSubstr("topk: 0"));
  EXPECT_THAT(message([](PredictOptions& o) { o.device = "cuda:77"; }), StartsWith("device_unavailable"));
  EXPECT_THAT(message([](PredictOptions& o) { o.precision = Precision::int8; }), HasSubstr("int8"));
}

// A callback that holds its worker until opened.
class Gate {
 public:
  void wait() {
    std::unique_lock lock(mutex_);
    ++waiting_;
    changed_.notify_all();
    changed_.wait(lock, [&] { return open_; });
  }
  void open() {
    const std::lock_guard lock(mutex_);
    open_ = true;
    changed_.notify_all();
  }
  void until_waiting() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return waiting_ > 0; });
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  int waiting_ = 0;
  bool open_ = false;
};

TEST(PredictorTest, AFullQueueHoldsTheSubmitterBackAndCancelAnswersIt) {
  PredictOptions options;
  options.workers = 1;
  options.batch_size = 1;
  Predictor predictor(test::mean_colour_model(), options);
  Gate gate;
  std::atomic<int> done{0};
  std::atomic<int> cancelled{0};
  const auto count = [&](Outcome&& outcome) { ++(outcome.cancelled ? cancelled : done); };
  const std::string picture = bmp(8, 8, 1, 2, 3);
  predictor.submit(from_bytes(picture), [&](Outcome&& outcome) {
    gate.wait();
    count(std::move(outcome));
  });
  gate.until_waiting();
  // Room for two batches.
  for (int i = 0; i < 2; ++i) predictor.submit(from_bytes(picture), count);
  std::atomic<bool> entered{false};
  std::thread submitter([&] {
    predictor.submit(from_bytes(picture), count);
    entered = true;
  });
  std::this_thread::sleep_for(std::chrono::milliseconds(100));
  EXPECT_FALSE(entered) << "the queue took more than its bound";
  predictor.cancel();
  submitter.join();
  EXPECT_EQ(cancelled, 2);
  gate.open();
  // Work after a cancel is done as before.
  EXPECT_TRUE(predictor.predict(from_bytes(picture)).ok());
  EXPECT_EQ(done, 2);
}

TEST(PredictorTest, TheDestructorAnswersEverythingOnce) {
  std::vector<std::atomic<int>> answers(200);
  {
    PredictOptions options;
    options.workers = 2;
    options.batch_size = 100;
    Predictor predictor(test::mean_colour_model(), options);
    for (std::atomic<int>& answer : answers) {
      predictor.submit(from_bytes(bmp(8, 8, 1, 2, 3)), [&answer](Outcome&&) { ++answer; });
    }
  }
  for (const std::atomic<int>& answer : answers) EXPECT_EQ(answer, 1);
}

TEST(PredictorTest, AnyThreadSubmits) {
  PredictOptions options;
  options.workers = 3;
  options.batch_size = 2;
  Predictor predictor(test::mean_colour_model(), options);
  std::vector<std::thread> threads;
  std::atomic<int> right{0};
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < 50; ++i) {
        const std::uint8_t level = t % 3 == 0 ? 255 : 0;
        const Outcome outcome = predictor.predict(from_bytes(bmp(8, 8, level, t % 3 == 1 ? 255 : 0, 128)));
        const std::string expected = t % 3 == 0 ? "red" : t % 3 == 1 ? "green" : "blue";
        if (outcome.ok() && outcome.prediction->classes[0].label == expected) ++right;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(right, 200);
}

TEST(PredictorTest, OtherThreadsKeepTheirThreadCounts) {
  const int before = at::get_num_threads();
  const int wanted = before + 3;
  PredictOptions options;
  options.workers = 2;
  options.threads_per_worker = wanted;
  int of_worker = 0;
  {
    Predictor predictor(test::mean_colour_model(), options);
    std::promise<void> answered;
    predictor.submit(from_bytes(bmp(8, 8, 1, 2, 3)), [&](Outcome&&) {
      of_worker = at::get_num_threads();
      answered.set_value();
    });
    answered.get_future().wait();
    EXPECT_EQ(at::get_num_threads(), before);
  }
  EXPECT_EQ(of_worker, wanted) << "the worker's own count was not set";
  EXPECT_EQ(at::get_num_threads(), before);
  int of_later_thread = 0;
  std::thread([&] { of_later_thread = at::get_num_threads(); }).join();
  EXPECT_EQ(of_later_thread, before);
}

TEST(PredictorTest, OneExpectedImageGetsAllCpus) {
  PredictOptions options;
  options.expected_images = 1;
  const Predictor one(test::mean_colour_model(), options);
  EXPECT_EQ(one.workers(), 1);
  EXPECT_EQ(one.threads_per_worker(), usable_cpus());
  EXPECT_EQ(one.batch_size(), 1);
  options.expected_images = 1000;
  const Predictor many(test::mean_colour_model(), options);
  EXPECT_EQ(many.workers(), usable_cpus());
  EXPECT_EQ(many.threads_per_worker(), 1);
  EXPECT_GT(many.batch_size(), 1);
}

TEST(PredictorTest, FastDecodeIsSaidAndNearTheWhole) {
  PredictOptions options;
  Predictor whole(test::mean_colour_model(), options);
  options.fast_decode = true;
  Predictor fast(test::mean_colour_model(), options);
  const Outcome expected = whole.predict(from_path(kPhotos + "cat.jpg"));
  const Outcome found = fast.predict(from_path(kPhotos + "cat.jpg"));
  ASSERT_TRUE(expected.ok() && found.ok());
  EXPECT_EQ(expected.prediction->mode, "RGB");
  EXPECT_EQ(expected.prediction->decoded_at, 1);
  EXPECT_EQ(found.prediction->mode, "RGB");
  EXPECT_EQ(found.prediction->decoded_at, 8);
  EXPECT_EQ(found.prediction->geometry.original_width, expected.prediction->geometry.original_width);
  EXPECT_NE(exact_text(found), exact_text(expected));
  for (std::size_t i = 0; i < 3; ++i) {
    EXPECT_NEAR(found.prediction->classes[i].score, expected.prediction->classes[i].score, 0.01);
  }
  // Nothing else has a fraction.
  EXPECT_EQ(fast.predict(from_bytes(bmp(64, 64, 10, 20, 30))).prediction->decoded_at, 1);
}

TEST(PredictorTest, StageTimesAddUp) {
  Predictor predictor(test::mean_colour_model());
  EXPECT_TRUE(predictor.predict(from_path(kPhotos + "cat.jpg")).ok());
  const StageTimes times = predictor.times();
  EXPECT_GT(times.read, 0);
  EXPECT_GT(times.decode, 0);
  EXPECT_GT(times.preprocess, 0);
  EXPECT_GT(times.model, 0);
  EXPECT_GT(times.task, 0);
}

TEST(PredictorTest, TheModelAloneIsTimedOnEveryWorker) {
  PredictOptions options;
  options.workers = 3;
  options.batch_size = 4;
  const Predictor predictor(test::mean_colour_model(), options);
  const ModelTimes times = predictor.time_model(2, 5);
  EXPECT_EQ(times.calls.size(), 15U);
  EXPECT_EQ(times.images, 60U);
  EXPECT_GT(times.seconds, 0);
  EXPECT_THROW(predictor.time_model(0, 0), Error);
}

// Published weights and photographs: the place in a batch, the images beside it and the number of workers must not
// reach the numbers.
TEST(PredictorTest, TheSameJobGivesTheSameBits) {
  ASSERT_TRUE(fs::exists(PTRUN_TEST_WEIGHTS)) << PTRUN_TEST_WEIGHTS << " is missing; scripts/test.sh brings it";
  const Model model = load_model(PTRUN_TEST_WEIGHTS);
  std::vector<std::string> paths;
  for (const auto& entry : fs::directory_iterator(kPhotos)) {
    if (entry.path().extension() == ".jpg") paths.push_back(entry.path());
  }
  ASSERT_GE(paths.size(), 5U);
  std::map<std::string, std::string> expected;
  std::mt19937 random(7);
  for (const int workers : {1, 2, 3}) {
    for (int repeat = 0; repeat < 2; ++repeat) {
      std::shuffle(paths.begin(), paths.end(), random);
      PredictOptions options;
      options.workers = workers;
      options.expected_images = 1000;
      Predictor predictor(model, options);
      std::vector<Input> inputs;
      for (const std::string& path : paths) inputs.push_back(from_path(path));
      const auto outcomes = predictor.predict(inputs);
      for (std::size_t i = 0; i < paths.size(); ++i) {
        ASSERT_TRUE(outcomes[i].ok()) << outcomes[i].failure.message;
        const auto [known, first] = expected.emplace(paths[i], exact_text(outcomes[i]));
        EXPECT_EQ(exact_text(outcomes[i]), known->second) << paths[i] << " with " << workers << " workers";
      }
    }
  }
}

}  // namespace
}  // namespace ptrun
