// JSON Lines, schema 1: one row an input, keys in a fixed order, so that rows can be compared as text.
//
//   every row   v, path, path_b64 (only when the path is not UTF-8), status
//   an error    stage, error
//   a result    task, width, height, exif (when not 1), mode (when not "RGB"), decoded_at ("1/4", of
//               --fast-decode), then by task:
//     classify             predictions [{index, label, score}]
//     detect               predictions [{index, label, score, box}], of rotated boxes with corners [[x, y], ...]
//     segment, instances   as detect, with mask {size [height, width], counts} as pycocotools writes it
//     segment, semantic    segments [{index, label, area}], the largest first, and map, the PNG that was written
//     keypoints            as detect, with keypoints [[x, y, score], ...]
//     embed                embedding [...]
//     tensors              outputs [{name, dtype, shape, data}]
// `label` is left out where the model has no labels, `score` is called `logit` where it is one.
#include <algorithm>
#include <cstring>

#include "core/text.h"
#include "output/output.h"
#include "output/text_format.h"

namespace ptrun {
namespace {

// A larger raw output would make a row that no line tool can read.
constexpr std::size_t kInlineTensorValues = 4096;

void append_key(std::string& out, std::string_view key) {
  if (out.back() != '{') out += ',';
  out += '"';
  out += key;
  out += "\":";
}

// Writes '[', `write` for each item with commas between, ']'.
template <typename Items, typename Write>
void append_list(std::string& out, const Items& items, Write write) {
  out += '[';
  bool first = true;
  for (const auto& item : items) {
    if (!first) out += ',';
    first = false;
    write(item);
  }
  out += ']';
}

void append_class(std::string& out, int index, const std::string& label) {
  append_key(out, "index");
  append_integer(out, index);
  if (!label.empty()) {
    append_key(out, "label");
    append_json_string(out, label);
  }
}

void append_score(std::string& out, float score, bool logits) {
  append_key(out, logits ? "logit" : "score");
  append_6_digits(out, static_cast<double>(score));
}

void append_detection(std::string& out, const Detection& detection, bool logits) {
  out += '{';
  append_class(out, detection.index, detection.label);
  append_score(out, detection.score, logits);
  append_key(out, "box");
  append_list(out, std::initializer_list<float>{detection.x1, detection.y1, detection.x2, detection.y2},
              [&](float value) { append_6_digits(out, static_cast<double>(value)); });
  if (!detection.corners.empty()) {
    append_key(out, "corners");
    append_list(out, detection.corners, [&](const Point& point) {
      append_list(out, std::initializer_list<float>{point.x, point.y},
                  [&](float value) { append_6_digits(out, static_cast<double>(value)); });
    });
  }
  if (detection.mask) {
    append_key(out, "mask");
    out += "{\"size\":[";
    append_integer(out, detection.mask->height);
    out += ',';
    append_integer(out, detection.mask->width);
    out += "],\"counts\":";
    append_json_string(out, detection.mask->counts);
    out += '}';
  }
  if (!detection.keypoints.empty()) {
    append_key(out, "keypoints");
    append_list(out, detection.keypoints, [&](const Keypoint& point) {
      append_list(out, std::initializer_list<float>{point.x, point.y, point.score},
                  [&](float value) { append_6_digits(out, static_cast<double>(value)); });
    });
  }
  out += '}';
}

template <typename T, typename Append>
bool append_values(std::string& out, const std::vector<std::byte>& data, Append append) {
  if (data.size() % sizeof(T) != 0 || data.size() / sizeof(T) > kInlineTensorValues) return false;
  append_key(out, "data");
  out += '[';
  for (std::size_t at = 0; at < data.size(); at += sizeof(T)) {
    T value;
    std::memcpy(&value, data.data() + at, sizeof(T));
    if (at != 0) out += ',';
    append(value);
  }
  out += ']';
  return true;
}

bool has_values(const TensorOutput& tensor) {
  return std::find(tensor.shape.begin(), tensor.shape.end(), 0) == tensor.shape.end();
}

// Flat and row-major; left out for other types, for more than kInlineTensorValues values and where the caller has let
// the values go.
void append_tensor_data(std::string& out, const TensorOutput& tensor) {
  if (tensor.data.empty() && has_values(tensor)) return;
  const auto real = [&](auto value) { append_shortest(out, value); };
  const auto integer = [&](auto value) { append_integer(out, static_cast<long long>(value)); };
  switch (tensor.dtype) {
    case DType::float32: append_values<float>(out, tensor.data, real); break;
    case DType::float64: append_values<double>(out, tensor.data, real); break;
    case DType::int64: append_values<std::int64_t>(out, tensor.data, integer); break;
    case DType::int32: append_values<std::int32_t>(out, tensor.data, integer); break;
    case DType::int16: append_values<std::int16_t>(out, tensor.data, integer); break;
    case DType::int8: append_values<std::int8_t>(out, tensor.data, integer); break;
    case DType::uint8:
    case DType::boolean: append_values<std::uint8_t>(out, tensor.data, integer); break;
    default: break;
  }
}

const char* dtype_name(DType dtype) {
  switch (dtype) {
    case DType::boolean: return "bool";
    case DType::uint8: return "uint8";
    case DType::int8: return "int8";
    case DType::uint16: return "uint16";
    case DType::int16: return "int16";
    case DType::uint32: return "uint32";
    case DType::int32: return "int32";
    case DType::uint64: return "uint64";
    case DType::int64: return "int64";
    case DType::float16: return "float16";
    case DType::bfloat16: return "bfloat16";
    case DType::float32: return "float32";
    case DType::float64: return "float64";
    case DType::complex64: return "complex64";
    case DType::complex128: return "complex128";
    default: return "other";
  }
}

void append_task(std::string& out, const Prediction& prediction, const std::string& picture) {
  switch (prediction.task) {
    case Task::classify:
      append_key(out, "predictions");
      append_list(out, prediction.classes, [&](const ClassScore& item) {
        out += '{';
        append_class(out, item.index, item.label);
        append_score(out, item.score, prediction.logits);
        out += '}';
      });
      break;
    case Task::segment:
      if (!prediction.segments.empty() || !prediction.segment_map.empty()) {
        append_key(out, "segments");
        append_list(out, prediction.segments, [&](const SegmentArea& item) {
          out += '{';
          append_class(out, item.index, item.label);
          append_key(out, "area");
          append_integer(out, item.area);
          out += '}';
        });
        if (!picture.empty()) {
          append_key(out, "map");
          append_json_string(out, picture);
        }
        break;
      }
      [[fallthrough]];
    case Task::detect:
    case Task::keypoints:
      append_key(out, "predictions");
      append_list(out, prediction.detections,
                  [&](const Detection& item) { append_detection(out, item, prediction.logits); });
      break;
    case Task::embed:
      append_key(out, "embedding");
      append_list(out, prediction.embedding, [&](float value) { append_shortest(out, value); });
      break;
    case Task::restore:
      // The picture itself goes to a picture folder, which names it here.
      append_key(out, "image");
      out += "null";
      break;
    case Task::tensors:
      append_key(out, "outputs");
      append_list(out, prediction.tensors, [&](const TensorOutput& item) {
        out += '{';
        append_key(out, "name");
        append_json_string(out, item.name);
        append_key(out, "dtype");
        append_json_string(out, dtype_name(item.dtype));
        append_key(out, "shape");
        append_list(out, item.shape, [&](std::int64_t size) { append_integer(out, size); });
        append_tensor_data(out, item);
        out += '}';
      });
      break;
  }
}

class JsonlWriter final : public RowWriter {
 public:
  explicit JsonlWriter(ByteSink sink) : sink_(std::move(sink)) {}
  void write(const Row& row) override { sink_(to_json_row(row) + '\n'); }
  void finish() override {}

 private:
  ByteSink sink_;
};

}  // namespace

std::string to_json_row(const Row& row) {
  std::string out = "{";
  append_key(out, "v");
  out += '1';
  append_key(out, "path");
  append_json_string(out, row.path);
  if (!is_utf8(row.path)) {
    append_key(out, "path_b64");
    append_json_string(out, base64(row.path));
  }
  append_key(out, "status");
  out += row.outcome.ok() ? "\"ok\"" : "\"error\"";
  if (!row.outcome.ok()) {
    append_key(out, "stage");
    append_json_string(out, to_string(row.outcome.failure.stage));
    append_key(out, "error");
    append_json_string(out, row.outcome.failure.message);
    return out + '}';
  }
  const Prediction& prediction = *row.outcome.prediction;
  append_key(out, "task");
  append_json_string(out, to_string(prediction.task));
  append_key(out, "width");
  append_integer(out, prediction.geometry.original_width);
  append_key(out, "height");
  append_integer(out, prediction.geometry.original_height);
  if (prediction.exif_orientation != 1) {
    append_key(out, "exif");
    append_integer(out, prediction.exif_orientation);
  }
  if (prediction.mode != "RGB") {
    append_key(out, "mode");
    append_json_string(out, prediction.mode);
  }
  if (prediction.decoded_at != 1) {
    append_key(out, "decoded_at");
    append_json_string(out, "1/" + std::to_string(prediction.decoded_at));
  }
  append_task(out, prediction, row.picture);
  return out + '}';
}

std::unique_ptr<RowWriter> make_jsonl_writer(ByteSink sink, const OutputContext& /*context*/) {
  return std::make_unique<JsonlWriter>(std::move(sink));
}

}  // namespace ptrun
