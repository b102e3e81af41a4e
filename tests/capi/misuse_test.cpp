// Ten thousand wrong calls of the C interface, from four threads: each is refused, none touches memory that is not its.
#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <cstring>
#include <functional>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "ptrun/c_api.h"

namespace {

constexpr int kThreads = 4;
constexpr int kCallsOfAThread = 2500;
const unsigned char kPixels[12] = {};

void drop(void*, ptrun_result* result) { ptrun_result_free(result); }

// One handle of each kind that is alive, and one of each that was freed.
struct Handles {
  ptrun_model* model = nullptr;
  ptrun_predictor* predictor = nullptr;
  ptrun_result* result = nullptr;
  ptrun_text* text = nullptr;
  ptrun_cancel* cancel = nullptr;

  void make() {
    ASSERT_EQ(ptrun_load("stub.pt", nullptr, &model), PTRUN_OK) << ptrun_last_error();
    ASSERT_EQ(ptrun_predictor_create(model, nullptr, &predictor), PTRUN_OK) << ptrun_last_error();
    ASSERT_EQ(ptrun_predict_file(predictor, "a.jpg", &result), PTRUN_OK) << ptrun_last_error();
    ASSERT_EQ(ptrun_inspect("stub.pt", 0, &text), PTRUN_OK) << ptrun_last_error();
    ASSERT_EQ(ptrun_cancel_create(&cancel), PTRUN_OK) << ptrun_last_error();
  }
  void free() const {
    EXPECT_EQ(ptrun_result_free(result), PTRUN_OK);
    EXPECT_EQ(ptrun_predictor_free(predictor), PTRUN_OK);
    EXPECT_EQ(ptrun_model_free(model), PTRUN_OK);
    EXPECT_EQ(ptrun_text_free(text), PTRUN_OK);
    EXPECT_EQ(ptrun_cancel_free(cancel), PTRUN_OK);
  }
  // In the order model, predictor, result, text, cancel.
  std::array<void*, 5> all() const { return {model, predictor, result, text, cancel}; }
};

template <typename Handle>
constexpr int kPlace = std::is_same_v<Handle, ptrun_model>       ? 0
                       : std::is_same_v<Handle, ptrun_predictor> ? 1
                       : std::is_same_v<Handle, ptrun_result>    ? 2
                       : std::is_same_v<Handle, ptrun_text>      ? 3
                                                                 : 4;

class Misuse {
 public:
  Misuse(const Handles& alive, const Handles& freed, unsigned seed) : alive_(alive), freed_(freed), random_(seed) {}

  // One wrong call; its status.
  ptrun_status call() {
    switch (pick(30)) {
      case 0: return ptrun_model_free(bad<ptrun_model>());
      case 1: return ptrun_predictor_free(bad<ptrun_predictor>());
      case 2: return ptrun_result_free(bad<ptrun_result>());
      case 3: return ptrun_text_free(bad<ptrun_text>());
      case 4: return ptrun_cancel_free(bad<ptrun_cancel>());
      case 5: return ptrun_cancel_request(bad<ptrun_cancel>());
      case 6: return ptrun_model_get_info(bad<ptrun_model>(), sized<ptrun_model_info>(&info_));
      case 7: return ptrun_model_get_info(alive_.model, wrong_size<ptrun_model_info>(&info_));
      case 8: return ptrun_model_get_label(bad<ptrun_model>(), 0, &text_);
      case 9: return ptrun_model_get_label(alive_.model, 2 + static_cast<std::size_t>(random_()), &text_);
      case 10: return ptrun_model_get_note(alive_.model, 7, nullptr);
      case 11: return ptrun_text_get(bad<ptrun_text>(), &text_, &count_);
      case 12: return ptrun_text_get(alive_.text, nullptr, nullptr);
      case 13: return ptrun_load(nullptr, nullptr, &model_);
      case 14: return ptrun_load("stub.pt", load_options(), &model_);
      case 15: return ptrun_load("stub.pt", nullptr, nullptr);
      case 16: return ptrun_predictor_create(bad<ptrun_model>(), nullptr, &predictor_);
      case 17: return ptrun_predictor_create(alive_.model, predict_options(), &predictor_);
      case 18: return ptrun_predict_file(bad<ptrun_predictor>(), "a.jpg", &result_);
      case 19: return ptrun_predict_file(alive_.predictor, pick(2) == 0 ? nullptr : "", &result_);
      case 20: return ptrun_predict(alive_.predictor, wrong_input(), &result_);
      case 21: return ptrun_predict_pixels(alive_.predictor, kPixels, 2, 2, 0, pick(2) == 0 ? -1 : 5, &result_);
      case 22: return ptrun_predict_bytes(alive_.predictor, nullptr, 5, &result_);
      case 23: return ptrun_predict_batch(alive_.predictor, wrong_input(), pick(3), &result_);
      case 24: return ptrun_predict_async(bad<ptrun_predictor>(), good_input(), drop, nullptr, nullptr);
      case 25: return ptrun_predict_async(alive_.predictor, good_input(), nullptr, nullptr, nullptr);
      case 26: return ptrun_predict_async(alive_.predictor, good_input(), drop, nullptr, bad_not_null<ptrun_cancel>());
      case 27: return ptrun_result_get_info(bad<ptrun_result>(), sized<ptrun_result_info>(&result_info_));
      case 28: return ptrun_result_get_classes(bad<ptrun_result>(), &classes_, &count_);
      default: return ptrun_result_get_tensors(alive_.result, nullptr, &count_);
    }
  }

  // A refused call writes nothing to its out parameters.
  bool untouched() const {
    return model_ == nullptr && predictor_ == nullptr && result_ == nullptr && text_ == nullptr &&
           classes_ == nullptr && count_ == 0;
  }

 private:
  unsigned pick(unsigned count) { return static_cast<unsigned>(random_() % count); }

  template <typename Handle>
  Handle* bad() {
    return pick(4) == 0 ? nullptr : bad_not_null<Handle>();
  }

  // Freed, of another kind, or a number.
  template <typename Handle>
  Handle* bad_not_null() {
    const unsigned what = pick(3);
    if (what == 0) return static_cast<Handle*>(freed_.all()[kPlace<Handle>]);
    if (what == 1) return static_cast<Handle*>(alive_.all()[(kPlace<Handle> + 1 + pick(4)) % 5]);
    return reinterpret_cast<Handle*>(static_cast<std::uintptr_t>(1 + random_()));
  }

  std::size_t wrong_struct_size(std::size_t right) {
    // Half of it is less than the first version of any struct had.
    const std::array<std::size_t, 4> wrong = {0, 8, right / 2, std::size_t{1} << (20 + pick(40))};
    return wrong[pick(4)];
  }

  template <typename Struct>
  Struct* sized(Struct* of) {
    of->size = sizeof(Struct);
    return of;
  }
  template <typename Struct>
  Struct* wrong_size(Struct* of) {
    if (pick(5) == 0) return nullptr;
    of->size = wrong_struct_size(sizeof(Struct));
    return of;
  }

  const ptrun_load_options* load_options() {
    EXPECT_EQ(ptrun_load_options_init(&load_, sizeof(load_)), PTRUN_OK);
    switch (pick(5)) {
      case 0: load_.size = wrong_struct_size(sizeof(load_)); break;
      case 1: load_.label_count = 3; break;
      case 2: load_.cancel = bad_not_null<ptrun_cancel>(); break;
      case 3:
        load_.preset_fields = words_;
        load_.preset_field_count = 1;
        break;
      default: load_.preset_fields = words_; load_.preset_field_count = 2;
    }
    return &load_;
  }

  const ptrun_predict_options* predict_options() {
    EXPECT_EQ(ptrun_predict_options_init(&predict_, sizeof(predict_)), PTRUN_OK);
    switch (pick(3)) {
      case 0: predict_.size = wrong_struct_size(sizeof(predict_)); break;
      case 1: predict_.precision = static_cast<int32_t>(5 + pick(100)); break;
      default: predict_.activation = -1;
    }
    return &predict_;
  }

  const ptrun_input* good_input() {
    EXPECT_EQ(ptrun_input_init(&input_, sizeof(input_)), PTRUN_OK);
    input_.path = "a.jpg";
    return &input_;
  }

  const ptrun_input* wrong_input() {
    good_input();
    switch (pick(4)) {
      case 0: return nullptr;
      case 1: input_.size = wrong_struct_size(sizeof(input_)); break;
      case 2: input_.path = nullptr; break;
      default: input_.bytes = kPixels;
    }
    return &input_;
  }

  const Handles& alive_;
  const Handles& freed_;
  std::mt19937 random_;
  const char* words_[2] = {"no such field", "7"};
  ptrun_model_info info_{};
  ptrun_result_info result_info_{};
  ptrun_load_options load_{};
  ptrun_predict_options predict_{};
  ptrun_input input_{};
  ptrun_model* model_ = nullptr;
  ptrun_predictor* predictor_ = nullptr;
  ptrun_result* result_ = nullptr;
  const char* text_ = nullptr;
  const ptrun_class* classes_ = nullptr;
  std::size_t count_ = 0;
};

TEST(CapiMisuseTest, TenThousandWrongCallsAreRefused) {
  Handles freed;
  freed.make();
  freed.free();
  Handles alive;
  alive.make();
  std::atomic<int> refused = 0;
  std::vector<std::thread> threads;
  for (unsigned seed = 0; seed < kThreads; ++seed) {
    threads.emplace_back([&, seed] {
      Misuse misuse(alive, freed, seed);
      for (int i = 0; i < kCallsOfAThread; ++i) {
        ASSERT_EQ(misuse.call(), PTRUN_INVALID_ARGUMENT) << ptrun_last_error();
        ASSERT_NE(std::strlen(ptrun_last_error()), 0U);
        ASSERT_TRUE(misuse.untouched());
        ++refused;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(refused, kThreads * kCallsOfAThread);
  alive.free();  // all of them are still there
}

TEST(CapiMisuseTest, OneHandleIsFreedOnceWhoeverIsFaster) {
  for (int round = 0; round < 200; ++round) {
    Handles handles;
    handles.make();
    std::atomic<int> freed = 0;
    std::vector<std::thread> threads;
    for (int i = 0; i < kThreads; ++i) {
      threads.emplace_back([&] {
        ptrun_result* result = nullptr;
        const ptrun_status status = ptrun_predict_file(handles.predictor, "a.jpg", &result);
        EXPECT_TRUE(status == PTRUN_OK || status == PTRUN_INVALID_ARGUMENT) << ptrun_last_error();
        if (status == PTRUN_OK) ptrun_result_free(result);
        if (ptrun_predictor_free(handles.predictor) == PTRUN_OK) ++freed;
      });
    }
    for (std::thread& thread : threads) thread.join();
    ASSERT_EQ(freed, 1);
    ptrun_model_free(handles.model);
    ptrun_result_free(handles.result);
    ptrun_text_free(handles.text);
    ptrun_cancel_free(handles.cancel);
  }
}

TEST(CapiMisuseTest, AMessageSaysWhatTheHandleIs) {
  Handles handles;
  handles.make();
  ptrun_model_free(reinterpret_cast<ptrun_model*>(handles.text));
  EXPECT_STREQ(ptrun_last_error(), "model handle: is a ptrun_text, expected a ptrun_model");
  ptrun_model_free(nullptr);
  EXPECT_STREQ(ptrun_last_error(), "model handle: is NULL, expected a ptrun_model");
  handles.free();
  ptrun_model_free(handles.model);
  EXPECT_STREQ(ptrun_last_error(), "model handle: was freed, expected a ptrun_model that is still there");
  int nothing = 0;
  ptrun_model_free(reinterpret_cast<ptrun_model*>(&nothing));
  EXPECT_STREQ(ptrun_last_error(), "model handle: is no handle that ptrun gave, expected a ptrun_model");
}

struct Reentry {
  ptrun_predictor* predictor = nullptr;
  std::atomic<int> predict = -1;
  std::atomic<int> free = -1;
};

TEST(CapiMisuseTest, ACallbackCannotWaitForItself) {
  Handles handles;
  handles.make();
  Reentry seen;
  seen.predictor = handles.predictor;
  ptrun_input input{};
  ASSERT_EQ(ptrun_input_init(&input, sizeof(input)), PTRUN_OK);
  input.path = "a.jpg";
  const ptrun_result_callback callback = [](void* user, ptrun_result* result) {
    auto& in = *static_cast<Reentry*>(user);
    ptrun_result_free(result);
    ptrun_result* other = nullptr;
    in.predict = ptrun_predict_file(in.predictor, "a.jpg", &other);
    in.free = ptrun_predictor_free(in.predictor);
  };
  ASSERT_EQ(ptrun_predict_async(handles.predictor, &input, callback, &seen, nullptr), PTRUN_OK);
  // Its turn comes after the callback's.
  ptrun_result* later = nullptr;
  ASSERT_EQ(ptrun_predict_file(handles.predictor, "a.jpg", &later), PTRUN_OK);
  EXPECT_EQ(seen.predict, PTRUN_INVALID_ARGUMENT);
  EXPECT_EQ(seen.free, PTRUN_INVALID_ARGUMENT);
  EXPECT_EQ(ptrun_result_free(later), PTRUN_OK);
  handles.free();
}

// What a caller compiled against a later header hands over.
TEST(CapiMisuseTest, ALongerStructIsTakenWhenTheRestIsZero) {
  struct Later {
    ptrun_predict_options known;
    std::int64_t added;
  } later{};
  Handles handles;
  handles.make();
  ASSERT_EQ(ptrun_predict_options_init(&later.known, sizeof(later)), PTRUN_OK);
  EXPECT_EQ(later.known.size, sizeof(later));
  EXPECT_EQ(later.known.topk, 5);
  ptrun_predictor* predictor = nullptr;
  ASSERT_EQ(ptrun_predictor_create(handles.model, &later.known, &predictor), PTRUN_OK) << ptrun_last_error();
  EXPECT_EQ(ptrun_predictor_free(predictor), PTRUN_OK);
  later.added = 1;
  EXPECT_EQ(ptrun_predictor_create(handles.model, &later.known, &predictor), PTRUN_INVALID_ARGUMENT);
  EXPECT_STREQ(
      ptrun_last_error(),
      "ptrun_predict_options: uses a field that this libptrun does not know; install a newer one, or leave the "
      "field out");
  handles.free();
}

TEST(CapiMisuseTest, ResultsPointIntoTheirOwnHandle) {
  Handles handles;
  handles.make();
  const ptrun_class* classes = nullptr;
  const ptrun_detection* detections = nullptr;
  const ptrun_tensor* tensors = nullptr;
  const ptrun_segment* segments = nullptr;
  std::size_t count = 0;
  ASSERT_EQ(ptrun_result_get_classes(handles.result, &classes, &count), PTRUN_OK);
  ASSERT_EQ(count, 2U);
  EXPECT_STREQ(classes[0].label, "dog");
  ASSERT_EQ(ptrun_result_get_detections(handles.result, &detections, &count), PTRUN_OK);
  ASSERT_EQ(count, 2U);
  EXPECT_EQ(detections[0].mask, nullptr);
  EXPECT_EQ(detections[0].keypoints, nullptr);
  EXPECT_STREQ(detections[1].mask, "04");
  ASSERT_EQ(detections[1].keypoint_count, 2U);
  EXPECT_EQ(detections[1].keypoints[1].y, 4);
  ASSERT_EQ(ptrun_result_get_tensors(handles.result, &tensors, &count), PTRUN_OK);
  ASSERT_EQ(count, 1U);
  EXPECT_STREQ(tensors[0].dtype, "int64");
  EXPECT_EQ(tensors[0].byte_count, 8U);
  ASSERT_EQ(ptrun_result_get_segments(handles.result, &segments, &count), PTRUN_OK);
  ASSERT_EQ(count, 2U);
  EXPECT_STREQ(segments[0].label, "dog");
  EXPECT_EQ(segments[0].area, 3);
  const ptrun_point* corners = nullptr;
  ASSERT_EQ(ptrun_result_get_corners(handles.result, &corners, &count), PTRUN_OK);
  ASSERT_EQ(count, 8U);
  EXPECT_EQ(corners[4].y, -1);
  EXPECT_EQ(corners[7].x, -1);
  ptrun_result_info info{};
  info.size = sizeof(info);
  ASSERT_EQ(ptrun_result_get_info(handles.result, &info), PTRUN_OK);
  ASSERT_NE(info.segment_map, nullptr);
  EXPECT_EQ(info.segment_map[1], 0);
  EXPECT_EQ(info.decoded_at, 1);
  handles.free();
}

// Structs as callers of version 1 have them end before the fields of version 2.
TEST(CapiMisuseTest, CallersOfVersionOneGoOn) {
  Handles handles;
  handles.make();
  ptrun_predict_options options{};
  ASSERT_EQ(ptrun_predict_options_init(&options, 96), PTRUN_OK);
  EXPECT_EQ(options.size, 96U);
  options.fast_decode = 1;  // beyond what the size says
  ptrun_predictor* predictor = nullptr;
  const auto decoded_at = [&](std::size_t size) {
    ptrun_result* result = nullptr;
    EXPECT_EQ(ptrun_predictor_create(handles.model, &options, &predictor), PTRUN_OK) << ptrun_last_error();
    EXPECT_EQ(ptrun_predict_file(predictor, "photo.jpg", &result), PTRUN_OK);
    ptrun_result_info info{};
    info.size = size;
    info.decoded_at = -1;
    EXPECT_EQ(ptrun_result_get_info(result, &info), PTRUN_OK) << ptrun_last_error();
    EXPECT_STREQ(info.task, "classify");
    EXPECT_EQ(ptrun_result_free(result), PTRUN_OK);
    EXPECT_EQ(ptrun_predictor_free(predictor), PTRUN_OK);
    return info.decoded_at;
  };
  EXPECT_EQ(decoded_at(sizeof(ptrun_result_info)), 1);
  EXPECT_EQ(decoded_at(104), -1) << "was written beyond the size that the caller gave";
  options.size = sizeof(options);
  EXPECT_EQ(decoded_at(sizeof(ptrun_result_info)), 4);
  handles.free();
}

}  // namespace
