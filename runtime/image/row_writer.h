// Where a codec's rows go: into the picture, or to whoever takes them while it is decoded.
#pragma once

#include <cstddef>
#include <cstdint>

#include "image/codec.h"
#include "image/image.h"

namespace ptrun::image {

// Rows in order. Those for a sink are handed over in strips, because the caches hold the resizer's weights or the
// decoder's tables, so that the two take turns.
class RowWriter {
 public:
  static constexpr std::size_t kStrip = 16;

  // A picture of `width` x `height`, for `sink` when there is one and it takes rows. May be asked again: what was
  // handed over is void then.
  void open(int width, int height, RowSink* sink, const DecodeLimits& limits, Pixels& out) {
    sink_ = sink != nullptr && sink->begin(width, height) ? sink : nullptr;
    out.streamed = sink_ != nullptr;
    stride_ = static_cast<std::size_t>(width) * 3;
    if (out.streamed) {
      out.width = width;
      out.height = height;
      if (out.scratch.size() < kStrip * stride_) out.scratch.resize(kStrip * stride_);
      rows_ = out.scratch.data();
    } else {
      rows_ = prepare(out, static_cast<std::uint64_t>(width), static_cast<std::uint64_t>(height), limits);
    }
  }

  // Before the first row: the rows [first, end) will come, of which the pixels [left, left + width).
  void begin(std::size_t first, std::size_t end, std::size_t left, std::size_t width) {
    first_ = first;
    end_ = end;
    left_ = left;
    width_ = width;
  }

  // Where the pixel `left` of a row goes; row() of less than room() rows behind it as well.
  std::uint8_t* row(std::size_t y) const {
    return sink_ != nullptr ? rows_ + (y - first_) * stride_ : rows_ + y * stride_ + left_ * 3;
  }
  std::size_t room(std::size_t y) const { return sink_ != nullptr ? kStrip - (y - first_) : kStrip; }

  // The rows before `end` are there.
  void made(std::size_t end) {
    if (sink_ == nullptr || (end - first_ < kStrip && end < end_)) return;
    sink_->rows(static_cast<int>(first_), static_cast<int>(end - first_), static_cast<int>(left_),
                static_cast<int>(width_), rows_, stride_);
    first_ = end;
  }

 private:
  RowSink* sink_ = nullptr;
  std::uint8_t* rows_ = nullptr;
  std::size_t stride_ = 0;
  std::size_t first_ = 0;  // not handed over
  std::size_t end_ = 0;
  std::size_t left_ = 0;
  std::size_t width_ = 0;
};

}  // namespace ptrun::image
