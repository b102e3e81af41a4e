// What comes out for one image, for every task.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "ptrun/export.h"
#include "ptrun/geometry.h"
#include "ptrun/signature.h"

namespace ptrun {

// What a model is for, and which members of a Prediction it fills.
enum class Task { classify, detect, segment, keypoints, embed, restore, tensors };
// Lower-case name, "classify". Never fails; valid for ever.
PTRUN_API const char* to_string(Task task) noexcept;

// One class of a classification.
struct ClassScore {
  int index = 0;
  std::string label;   // empty: the model has no labels
  float score = 0.0F;  // a probability 0..1, or a logit where Prediction::logits is set
};

// One point of a body, a face, ...
struct Keypoint {
  float x = 0.0F;  // pixels of the upright original
  float y = 0.0F;
  float score = 0.0F;
};

// A place in the image.
struct Point {
  float x = 0.0F;  // pixels of the upright original
  float y = 0.0F;
};

// COCO run-length encoding of a binary mask, column-major, compressed counts (pycocotools).
struct Mask {
  int width = 0;
  int height = 0;
  std::string counts;
};

// One object in the image.
struct Detection {
  int index = 0;
  std::string label;
  float score = 0.0F;
  float x1 = 0.0F;  // box corners, pixels of the upright original
  float y1 = 0.0F;
  float x2 = 0.0F;
  float y2 = 0.0F;
  std::vector<Point>
      corners;  // of a rotated box the four, in turn; they may lie outside the image. x1 to y2 enclose it
  std::optional<Mask> mask;
  std::vector<Keypoint> keypoints;
};

// How much of the image one class covers.
struct SegmentArea {
  int index = 0;
  std::string label;
  std::int64_t area = 0;  // pixels
};

// A raw output: row-major bytes of `dtype`.
struct TensorOutput {
  std::string name;
  DType dtype = DType::float32;
  std::vector<std::int64_t> shape;
  std::vector<std::byte> data;
  bool per_image = false;  // of the entry that the model returned for this image, not a row of a batch
};

// What a model says about one image. Which members are filled depends on the task.
struct Prediction {
  Task task = Task::classify;
  Geometry geometry;
  int exif_orientation = 1;  // the tag that was found, 1..8
  std::string mode = "RGB";  // Pillow's mode of the file before conversion
  int decoded_at = 1;        // 2, 4 or 8: fast_decode read a JPEG at 1 / that of its width and height; 1: whole
  bool logits = false;       // scores are logits (activation none)

  std::vector<ClassScore> classes;    // classify: best first
  std::vector<Detection> detections;  // detect, segment (instances), keypoints: best first
  std::vector<SegmentArea> segments;  // segment (semantic): the largest area first
  // segment (semantic): class of each pixel, row-major, original size; 255 where a crop left the pixel out
  std::vector<std::uint8_t> segment_map;
  std::vector<float> embedding;     // embed
  std::vector<std::uint8_t> image;  // restore: RGB bytes [image_height, image_width, 3]
  int image_width = 0;
  int image_height = 0;
  std::vector<TensorOutput> tensors;  // tensors
};

// Where an image failed.
enum class Stage { read, decode, preprocess, model, output };
// Lower-case name, "decode". Never fails; valid for ever.
PTRUN_API const char* to_string(Stage stage) noexcept;

// Why there is no prediction.
struct Failure {
  Stage stage = Stage::decode;
  std::string message;  // "subject: what was found, what was expected; what to do"
};

// One input's answer: a prediction, or why there is none.
struct Outcome {
  std::optional<Prediction> prediction;
  Failure failure;         // meaningful when there is no prediction
  bool cancelled = false;  // never started, because the work was cancelled

  bool ok() const noexcept { return prediction.has_value(); }  // True when there is a prediction.
};

}  // namespace ptrun
