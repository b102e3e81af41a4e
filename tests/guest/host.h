// A host that opens libptrun.so when it wants to, through the C interface.
#pragma once

#include <dlfcn.h>
#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "ptrun/c_api.h"

namespace ptrun::test {

inline const std::string kLibrary = PTRUN_LIBRARY;
inline const std::string kWeights = PTRUN_TEST_WEIGHTS;
inline const std::string kData = PTRUN_TEST_DATA;

// The functions that the tests use, from a library that the program does not link.
class Library {
  void* handle_;  // first: the functions below come from it

 public:
  Library() : handle_(dlopen(kLibrary.c_str(), RTLD_NOW | RTLD_LOCAL)) {
    if (handle_ == nullptr) ADD_FAILURE() << dlerror();
  }

  template <typename Function>
  Function* function(const char* name) const {
    auto* found = reinterpret_cast<Function*>(dlsym(handle_, name));
    if (found == nullptr) ADD_FAILURE() << name << " is missing";
    return found;
  }
  void* handle() const { return handle_; }

#define PTRUN_TEST_FUNCTION(name) decltype(&::ptrun_##name) name = function<decltype(::ptrun_##name)>("ptrun_" #name)
  PTRUN_TEST_FUNCTION(last_error);
  PTRUN_TEST_FUNCTION(load);
  PTRUN_TEST_FUNCTION(load_options_init);
  PTRUN_TEST_FUNCTION(model_free);
  PTRUN_TEST_FUNCTION(inspect);
  PTRUN_TEST_FUNCTION(text_free);
  PTRUN_TEST_FUNCTION(devices);
  PTRUN_TEST_FUNCTION(predict_options_init);
  PTRUN_TEST_FUNCTION(predictor_create);
  PTRUN_TEST_FUNCTION(predictor_get_info);
  PTRUN_TEST_FUNCTION(predictor_free);
  PTRUN_TEST_FUNCTION(predict_file);
  PTRUN_TEST_FUNCTION(result_get_classes);
  PTRUN_TEST_FUNCTION(result_free);
#undef PTRUN_TEST_FUNCTION
};

using Scores = std::vector<std::pair<int, float>>;

// A model with a predictor; the members are null where making them failed, which is a failure of the test.
struct Loaded {
  const Library& ptrun;
  ptrun_model* model = nullptr;
  ptrun_predictor* predictor = nullptr;

  Loaded(const Library& library, const ptrun_load_options* load, int workers, int threads) : ptrun(library) {
    EXPECT_EQ(ptrun.load(kWeights.c_str(), load, &model), PTRUN_OK) << ptrun.last_error();
    ptrun_predict_options options{};
    EXPECT_EQ(ptrun.predict_options_init(&options, sizeof(options)), PTRUN_OK);
    options.workers = workers;
    options.threads_per_worker = threads;
    EXPECT_EQ(ptrun.predictor_create(model, &options, &predictor), PTRUN_OK) << ptrun.last_error();
  }
  ~Loaded() {
    EXPECT_EQ(ptrun.predictor_free(predictor), PTRUN_OK) << ptrun.last_error();
    EXPECT_EQ(ptrun.model_free(model), PTRUN_OK) << ptrun.last_error();
  }
  Loaded(const Loaded&) = delete;
  Loaded& operator=(const Loaded&) = delete;

  Scores predict(const std::string& photo) const {
    ptrun_result* result = nullptr;
    EXPECT_EQ(ptrun.predict_file(predictor, photo.c_str(), &result), PTRUN_OK) << ptrun.last_error();
    const ptrun_class* classes = nullptr;
    std::size_t count = 0;
    EXPECT_EQ(ptrun.result_get_classes(result, &classes, &count), PTRUN_OK) << ptrun.last_error();
    Scores scores;
    for (std::size_t i = 0; i < count; ++i) scores.emplace_back(classes[i].index, classes[i].score);
    EXPECT_EQ(ptrun.result_free(result), PTRUN_OK);
    return scores;
  }
};

}  // namespace ptrun::test
