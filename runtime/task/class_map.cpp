#include "task/class_map.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <utility>

#include "task/resample.h"

namespace ptrun {
namespace {

// Rows of all classes, [classes, width] each, made when they are asked for: whole planes at the size of the photo would
// take gigabytes.
class Rows {
 public:
  virtual ~Rows() = default;
  // Valid until the next call. Rows are asked for from top to bottom, none more than one above an earlier one.
  virtual const float* row(int y) = 0;
  virtual int width() const = 0;
};

class GivenRows final : public Rows {
 public:
  explicit GivenRows(const ClassLogits& logits)
      : logits_(logits), row_(static_cast<std::size_t>(logits.classes) * static_cast<std::size_t>(logits.width)) {}

  const float* row(int y) override {
    const auto width = static_cast<std::size_t>(logits_.width);
    const std::size_t plane = width * static_cast<std::size_t>(logits_.height);
    for (std::size_t c = 0; c < static_cast<std::size_t>(logits_.classes); ++c) {
      std::copy_n(logits_.values + c * plane + static_cast<std::size_t>(y) * width, width, row_.data() + c * width);
    }
    return row_.data();
  }
  int width() const override { return logits_.width; }

 private:
  ClassLogits logits_;
  std::vector<float> row_;
};

// Along a row first, then between two rows: torch's order, so that sums round as torch's do.
class ResizedRows final : public Rows {
 public:
  ResizedRows(Rows& from, int classes, std::vector<Taps> columns, std::vector<Taps> rows)
      : from_(from), classes_(static_cast<std::size_t>(classes)), columns_(std::move(columns)), rows_(std::move(rows)) {
    for (Stretched& one : kept_) one.values.resize(classes_ * columns_.size());
    row_.resize(classes_ * columns_.size());
  }

  const float* row(int y) override {
    const Taps& at = rows_[static_cast<std::size_t>(y)];
    const float* above = stretched(at.first, at.second);
    const float* below = stretched(at.second, at.first);
    for (std::size_t i = 0; i < row_.size(); ++i) row_[i] = above[i] * at.of_first + below[i] * at.of_second;
    return row_.data();
  }
  int width() const override { return static_cast<int>(columns_.size()); }

 private:
  struct Stretched {
    int row = -1;
    std::vector<float> values;
  };

  // Row `y` of the source at the new width; the one of row `other` stays where it is.
  const float* stretched(int y, int other) {
    for (const Stretched& one : kept_) {
      if (one.row == y) return one.values.data();
    }
    Stretched& to = kept_[0].row == other ? kept_[1] : kept_[0];
    to.row = y;
    const float* in = from_.row(y);
    float* out = to.values.data();
    for (std::size_t c = 0; c < classes_; ++c, in += from_.width()) {
      for (const Taps& at : columns_) *out++ = in[at.first] * at.of_first + in[at.second] * at.of_second;
    }
    return to.values.data();
  }

  Rows& from_;
  std::size_t classes_;
  std::vector<Taps> columns_;
  std::vector<Taps> rows_;
  std::array<Stretched, 2> kept_;
  std::vector<float> row_;
};

// The first of the largest of `count` logits at each of `width` places.
void write_classes(const float* row, std::size_t width, std::size_t classes, std::vector<float>& best,
                   std::uint8_t* out) {
  if (classes == 1) {
    for (std::size_t x = 0; x < width; ++x) out[x] = row[x] > 0.0F ? 1 : 0;
    return;
  }
  std::copy_n(row, width, best.data());
  std::fill_n(out, width, std::uint8_t{0});
  for (std::size_t c = 1; c < classes; ++c) {
    const float* values = row + c * width;
    for (std::size_t x = 0; x < width; ++x) {
      const bool better = values[x] > best[x];
      best[x] = better ? values[x] : best[x];
      out[x] = better ? static_cast<std::uint8_t>(c) : out[x];
    }
  }
}

}  // namespace

std::vector<std::uint8_t> class_map(const ClassLogits& logits, const Geometry& geometry) {
  const auto photo_width = static_cast<std::size_t>(geometry.original_width);
  const auto photo_height = static_cast<std::size_t>(geometry.original_height);
  std::vector<std::uint8_t> map(photo_width * photo_height, kUnseen);
  const Shown x = shown(geometry.original_width, geometry.input_width, geometry.scale_x, geometry.offset_x);
  const Shown y = shown(geometry.original_height, geometry.input_height, geometry.scale_y, geometry.offset_y);
  if (x.input_count == 0 || y.input_count == 0 || x.photo_count == 0 || y.photo_count == 0) return map;

  GivenRows given(logits);
  ResizedRows input(given, logits.classes, taps(0, logits.width, geometry.input_width, 0, geometry.input_width),
                    taps(0, logits.height, geometry.input_height, 0, geometry.input_height));
  const bool smaller = logits.width != geometry.input_width || logits.height != geometry.input_height;
  ResizedRows photo(smaller ? static_cast<Rows&>(input) : given, logits.classes,
                    taps(x.input_start, x.input_count, x.photo_count, 0, x.photo_count),
                    taps(y.input_start, y.input_count, y.photo_count, 0, y.photo_count));
  std::vector<float> best(static_cast<std::size_t>(x.photo_count));
  for (int i = 0; i < y.photo_count; ++i) {
    const std::size_t at =
        static_cast<std::size_t>(y.photo_start + i) * photo_width + static_cast<std::size_t>(x.photo_start);
    write_classes(photo.row(i), best.size(), static_cast<std::size_t>(logits.classes), best, map.data() + at);
  }
  return map;
}

}  // namespace ptrun
