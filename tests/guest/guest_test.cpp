// A host's state before libptrun.so was there, and after it did all it can do.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <unistd.h>

#include <clocale>
#include <csignal>
#include <fstream>
#include <sstream>

#include "guest/host.h"
#include "guest/host_state.h"
#include "support/scratch.h"

namespace ptrun::test {
namespace {

// One of everything, good and bad.
void do_all(const Library& ptrun) {
  ptrun_text* text = nullptr;
  for (const std::string& file : {kWeights, kData + "/exported/classifier.pt2", kData + "/modules/attention.pt"}) {
    EXPECT_EQ(ptrun.inspect(file.c_str(), 1, &text), PTRUN_OK) << ptrun.last_error();
    EXPECT_EQ(ptrun.text_free(text), PTRUN_OK);
  }
  EXPECT_EQ(ptrun.devices(&text), PTRUN_OK);
  EXPECT_EQ(ptrun.text_free(text), PTRUN_OK);
  ptrun_model* model = nullptr;
  for (const std::string& file : {kData + "/exported/classifier.pt2", kData + "/torchscript/frozen.pt"}) {
    EXPECT_EQ(ptrun.load(file.c_str(), nullptr, &model), PTRUN_OK) << ptrun.last_error();
    EXPECT_EQ(ptrun.model_free(model), PTRUN_OK);
  }
  EXPECT_NE(ptrun.load((kData + "/photos/cat.jpg").c_str(), nullptr, &model), PTRUN_OK);
  EXPECT_NE(ptrun.load("no such file", nullptr, &model), PTRUN_OK);
  const Loaded loaded(ptrun, nullptr, 2, 2);
  EXPECT_EQ(loaded.predict(kData + "/photos/cat.jpg").at(0).first, 285);
  ptrun_result* result = nullptr;
  EXPECT_NE(ptrun.predict_file(loaded.predictor, "no such photo", &result), PTRUN_OK);
  EXPECT_NE(ptrun.predict_file(loaded.predictor, kWeights.c_str(), &result), PTRUN_OK);
}

void my_handler(int) {}

TEST(GuestTest, NothingOfTheHostChanges) {
  // Values that no library would set by chance.
  ASSERT_NE(std::setlocale(LC_ALL, "C.UTF-8"), nullptr);
  std::signal(SIGINT, my_handler);
  std::signal(SIGPIPE, SIG_IGN);
  setenv("OMP_NUM_THREADS", "3", 1);
  const std::string before = host_state();
  const Library ptrun;
  EXPECT_EQ(host_state(), before) << "opening the library changed this";
  do_all(ptrun);
  EXPECT_EQ(host_state(), before);
}

TEST(GuestTest, NothingIsPrinted) {
  const std::string path = scratch_path("printed");
  const int saved[2] = {dup(1), dup(2)};
  const int file = open(path.c_str(), O_CREAT | O_TRUNC | O_RDWR | O_CLOEXEC, 0600);
  ASSERT_GE(file, 0);
  dup2(file, 1);
  dup2(file, 2);
  {
    const Library ptrun;
    do_all(ptrun);
  }
  fflush(nullptr);
  for (const int number : {1, 2}) {
    dup2(saved[number - 1], number);
    close(saved[number - 1]);
  }
  close(file);
  std::ifstream printed(path);
  std::ostringstream text;
  text << printed.rdbuf();
  EXPECT_EQ(text.str(), "");
  unlink(path.c_str());
}

TEST(GuestTest, ASecondLibTorchIsToldInsteadOfMixed) {
  const Library ptrun;
  ptrun_model* model = nullptr;
  ASSERT_EQ(ptrun.load(kWeights.c_str(), nullptr, &model), PTRUN_OK) << ptrun.last_error();
  EXPECT_EQ(ptrun.model_free(model), PTRUN_OK);
  void* second = dlopen(PTRUN_SECOND_TORCH, RTLD_NOW | RTLD_LOCAL);
  ASSERT_NE(second, nullptr) << dlerror();
  EXPECT_EQ(ptrun.load(kWeights.c_str(), nullptr, &model), PTRUN_UNSUPPORTED);
  EXPECT_THAT(ptrun.last_error(),
              testing::AllOf(testing::HasSubstr("in this process 2 times"), testing::HasSubstr(PTRUN_SECOND_TORCH)));
  dlclose(second);
  EXPECT_EQ(ptrun.load(kWeights.c_str(), nullptr, &model), PTRUN_OK) << ptrun.last_error();
  EXPECT_EQ(ptrun.model_free(model), PTRUN_OK);
}

TEST(GuestTest, ClosingTheLibraryLeavesTheHostRunning) {
  {
    const Library ptrun;
    do_all(ptrun);
    EXPECT_EQ(dlclose(ptrun.handle()), 0);
  }
  const Library again;
  do_all(again);
}

}  // namespace
}  // namespace ptrun::test
