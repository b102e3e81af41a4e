// Ranges for int8: which values a model's tensors take on real photos.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "ptrun/export.h"
#include "ptrun/job.h"
#include "ptrun/log.h"
#include "ptrun/model.h"

namespace ptrun {

// What counts as a tensor's range. minmax: every value that was seen. percentile: all but the 0.01 % smallest and
// the 0.01 % largest, which are cut off, so that the others are told apart more finely.
enum class RangeMethod { percentile, minmax };

// How many images calibration looks at, and how.
struct CalibrateOptions {
  std::size_t size = sizeof(CalibrateOptions);
  RangeMethod method = RangeMethod::percentile;
  std::size_t images = 256;    // to take ranges from, at most; at most three quarters of the inputs
  std::size_t held_out = 512;  // others, to compare int8 with fp32 on, at most
  std::uint64_t seed = 0;      // of the choice of images; the same inputs and seed give the same file
  bool force = false;          // replace ranges that exist
  int threads = 0;             // that run the model; 0: all CPUs this process may use
  // Called with images done and images in all, one call at a time, from a thread of the calibration. Must not throw.
  std::function<void(std::size_t done, std::size_t total)> progress;
  const std::atomic<bool>* cancel = nullptr;  // set to true: stop, write nothing, throw cancelled
  LogCallback log;                            // among others one warning for each image that was left out
};

// What calibrate_model() found.
struct CalibrationSummary {
  std::string file;        // what was written
  std::size_t images = 0;  // that the ranges come from
  std::size_t failed = 0;  // images that could not be read, of both kinds
  std::string plan;        // how int8 runs: "cpu_int8_bf16", "cpu_int8"
  // Held-out images, int8 against fp32.
  std::size_t compared = 0;
  bool classifier = false;
  std::size_t same_top1 = 0;      // with the same first class; of classifiers
  double largest_difference = 0;  // between the probabilities of a class; of classifiers
  double output_difference = 0;   // between numbers of the outputs, as a share of their range
  // One thread, images a second of processor time on made-up batches of `batch_size`; 0 where not measured.
  int batch_size = 0;
  double fp32_rate = 0;
  double bf16_rate = 0;  // 0: this processor has none
  double int8_rate = 0;
};

// Runs `model` in fp32 on some of `inputs`, notes the range of every tensor that int8 needs, compares int8 with fp32 on
// others, and writes MODELFILE.ptrun.int8.json, which Precision::int8 reads. The file has its name only when it is
// complete. Images that cannot be read are left out. Throws invalid_argument (ranges that exist, fewer than two
// images), unsupported (a model that is no single graph of one image input, a model without layers that can run in
// int8, a processor without AVX512_VNNI), model_failed, bad_image where no image could be read, output_failed,
// cancelled. Any thread; blocks.
PTRUN_API CalibrationSummary calibrate_model(const Model& model, const InputList& inputs,
                                             const CalibrateOptions& options = {});

}  // namespace ptrun
