#include "preprocess/preprocess.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstring>
#include <string>

#include "preprocess/opencv_backend.h"
#include "ptrun/error.h"

namespace ptrun {
namespace {

constexpr double kMaxSide = 1 << 28;  // of a whole resized image; only the crop is computed

// Python's round(): half to even.
double round_even(double value) { return std::nearbyint(value); }

// The whole resized image, and what is cut out of it (start > 0) or put around it (start < 0).
struct Plan {
  int width = 0;
  int height = 0;
  int left = 0;  // of the input in the resized image
  int top = 0;
  std::array<std::uint8_t, 3> fill = {0, 0, 0};
};

int resized_side(double side) {
  if (side > kMaxSide)
    throw Error(ErrorCode::limit_exceeded, "resize",
                "the resized image would have " + std::to_string(static_cast<std::int64_t>(side)) +
                    " pixels on a side; the image is too narrow for resize_mode shortest, use stretch or letterbox");
  return std::max(static_cast<int>(side), 1);
}

// torchvision's CenterCrop along one side: start of the crop, negative where the image is smaller and padded.
int crop_start(int size, int crop) {
  if (crop > size) return -((crop - size) / 2);
  return static_cast<int>(round_even((size - crop) / 2.0));
}

// The side before the crop, as timm: floor(side / crop_pct).
double before_crop(int side, const Preset& preset) { return std::floor(side / preset.crop_pct); }

Plan plan_shortest(int width, int height, const Preset& preset) {
  Plan plan;
  const double target_width = preset.resize_size > 0 ? preset.resize_size : before_crop(preset.input_width, preset);
  const double target_height = preset.resize_size > 0 ? preset.resize_size : before_crop(preset.input_height, preset);
  if (preset.crop_mode != CropMode::border && target_width == target_height) {
    // torchvision's Resize(int): the long side is cut off, not rounded.
    const double long_side = std::floor(target_width * std::max(width, height) / std::min(width, height));
    plan.width = resized_side(width <= height ? target_width : long_side);
    plan.height = resized_side(width <= height ? long_side : target_height);
    return plan;
  }
  // timm's ResizeKeepRatio: the tighter side for a crop, the wider one to show everything.
  const double ratio_x = width / target_width;
  const double ratio_y = height / target_height;
  const double ratio = preset.crop_mode == CropMode::border ? std::max(ratio_x, ratio_y) : std::min(ratio_x, ratio_y);
  plan.width = resized_side(round_even(width / ratio));
  plan.height = resized_side(round_even(height / ratio));
  return plan;
}

std::array<std::uint8_t, 3> fill_color(const Preset& preset) {
  std::array<std::uint8_t, 3> fill{};
  for (std::size_t c = 0; c < 3; ++c) {
    const double value = preset.pad_value >= 0 ? preset.pad_value : round_even(preset.mean.at(c) / preset.rescale);
    // mean is in the model's channel order, the pixels are RGB until the end.
    const std::size_t to = preset.channel_order == ChannelOrder::bgr ? 2 - c : c;
    fill.at(to) = static_cast<std::uint8_t>(std::clamp(value, 0.0, 255.0));
  }
  return fill;
}

Plan make_plan(int width, int height, const Preset& preset) {
  Plan plan;
  switch (preset.resize_mode) {
    case ResizeMode::shortest:
      plan = plan_shortest(width, height, preset);
      // torchvision's CenterCrop pads with black.
      if (preset.crop_mode == CropMode::border) plan.fill = fill_color(preset);
      break;
    case ResizeMode::stretch:
      plan.width = resized_side(before_crop(preset.input_width, preset));
      plan.height = resized_side(before_crop(preset.input_height, preset));
      break;
    case ResizeMode::letterbox: {
      const double ratio =
          std::min(preset.input_height / static_cast<double>(height), preset.input_width / static_cast<double>(width));
      plan.width = resized_side(round_even(width * ratio));
      plan.height = resized_side(round_even(height * ratio));
      plan.fill = fill_color(preset);
      // ultralytics' LetterBox: an odd border is wider on the right and at the bottom.
      plan.left = -static_cast<int>(round_even((preset.input_width - plan.width) / 2.0 - 0.1));
      plan.top = -static_cast<int>(round_even((preset.input_height - plan.height) / 2.0 - 0.1));
      return plan;
    }
  }
  plan.left = crop_start(plan.width, preset.input_width);
  plan.top = crop_start(plan.height, preset.input_height);
  return plan;
}

// What the input shows of one side of the resized image, and where it stands in the input.
struct Part {
  ResizeAxis axis;
  std::size_t at = 0;
};

Part visible_part(int in, int resized, int start, int input) {
  const int first = std::max(start, 0);
  const int last = std::min(start + input, resized);
  return {{in, resized, first, std::max(last - first, 0)}, static_cast<std::size_t>(std::max(-start, 0))};
}

void fill_borders(const Plan& plan, const Part& x, const Part& y, std::size_t width, std::size_t height,
                  std::uint8_t* out) {
  const auto columns = static_cast<std::size_t>(x.axis.count);
  const auto rows = static_cast<std::size_t>(y.axis.count);
  const auto fill = [&](std::size_t row, std::size_t from, std::size_t to) {
    for (std::uint8_t* at = out + (row * width + from) * 3; from < to; ++from, at += 3)
      std::memcpy(at, plan.fill.data(), 3);
  };
  for (std::size_t row = 0; row < height; ++row) {
    const bool inside = row >= y.at && row < y.at + rows;
    fill(row, 0, inside ? x.at : width);
    if (inside) fill(row, x.at + columns, width);
  }
}

void update_table(const Preset& preset, ValueTable& table) {
  if (table.mean == preset.mean && table.std == preset.std && table.rescale == preset.rescale) return;
  table.mean = preset.mean;
  table.std = preset.std;
  table.rescale = preset.rescale;
  for (std::size_t c = 0; c < 3; ++c) {
    const auto mean = static_cast<float>(preset.mean.at(c));
    const auto std = static_cast<float>(preset.std.at(c));
    for (std::size_t v = 0; v < 256; ++v) {
      // ToTensor divides by 255; a product with the rounded 1/255 would differ in the last bit.
      const float unit = preset.rescale == 1.0 / 255.0 ? static_cast<float>(v) / 255.0F
                                                       : static_cast<float>(v) * static_cast<float>(preset.rescale);
      table.values.at(c).at(v) = (unit - mean) / std;
    }
  }
}

// RGB bytes to planes in the model's channel order.
void to_planes(const std::uint8_t* rgb, std::size_t count, ChannelOrder order,
               const std::array<std::array<float, 256>, 3>& values, float* chw) {
  for (std::size_t c = 0; c < 3; ++c) {
    const std::uint8_t* in = rgb + (order == ChannelOrder::bgr ? 2 - c : c);
    const float* table = values[c].data();
    float* plane = chw + c * count;
    for (std::size_t i = 0; i < count; ++i) plane[i] = table[in[i * 3]];
  }
}

void check_pixels(const image::Pixels& pixels) {
  const std::size_t bytes = static_cast<std::size_t>(pixels.width) * static_cast<std::size_t>(pixels.height) * 3;
  if (pixels.width <= 0 || pixels.height <= 0 || (!pixels.streamed && pixels.data.size() < bytes))
    throw Error(ErrorCode::bad_image, "", "the image has no pixels");
}

// The crop of a picture, and where each of its parts comes from and goes to.
struct Crop {
  Plan plan;
  Part x;
  Part y;
};

Crop make_crop(int width, int height, const Preset& preset) {
  const Plan plan = make_plan(width, height, preset);
  return {plan, visible_part(width, plan.width, plan.left, preset.input_width),
          visible_part(height, plan.height, plan.top, preset.input_height)};
}

// Where the part that is resized begins in `scratch.resized`.
std::uint8_t* resized_part(const Crop& crop, const Preset& preset, PreprocessScratch& scratch) {
  const auto width = static_cast<std::size_t>(preset.input_width);
  scratch.resized.resize(width * static_cast<std::size_t>(preset.input_height) * 3);
  return scratch.resized.data() + (crop.y.at * width + crop.x.at) * 3;
}

}  // namespace

bool input_size_varies(const Preset& preset) noexcept {
  return preset.resize_mode == ResizeMode::shortest && preset.crop_mode == CropMode::none;
}

Preset preset_for(int width, int height, const Preset& preset) {
  if (width < 1 || height < 1) throw Error(ErrorCode::bad_image, "", "the image has no pixels");
  const Plan plan = plan_shortest(width, height, preset);
  constexpr int kMostSide = 16'384;  // as of an input_size
  if (plan.width > kMostSide || plan.height > kMostSide) {
    throw Error(ErrorCode::limit_exceeded, "resize",
                "the input would be " + std::to_string(plan.width) + " x " + std::to_string(plan.height) +
                    " pixels, at most " + std::to_string(kMostSide) +
                    " on a side are accepted; the image is too narrow for crop_mode none, use --resize-mode stretch "
                    "or letterbox");
  }
  Preset own = preset;
  own.input_width = plan.width;
  own.input_height = plan.height;
  // The same resize, with a crop that takes all of it.
  own.resize_size = std::min(plan.width, plan.height);
  own.crop_mode = CropMode::center;
  return own;
}

void check_preset(const Preset& preset) {
  if (preset.resize_backend == ResizeBackend::tensor)
    throw Error(ErrorCode::invalid_argument, "resize_backend",
                "tensor is not in this build, expected pillow or opencv; use --resize-backend pillow, whose pixels "
                "differ from those of the tensor resizer by a level or two");
  if (preset.resize_backend == ResizeBackend::opencv && preset.interpolation != Interpolation::bilinear)
    throw Error(
        ErrorCode::invalid_argument, "interpolation",
        preset_field_text(preset, "interpolation") +
            " was found, expected bilinear with resize_backend opencv; use --resize-backend pillow for the others");
  if (!preset.antialias && preset.resize_backend == ResizeBackend::pillow)
    throw Error(ErrorCode::invalid_argument, "antialias",
                "false was found, but resize_backend pillow always antialiases; leave it true, or use --resize-backend "
                "opencv, which never does");
  if (input_size_varies(preset) && preset.input_height != preset.input_width)
    throw Error(ErrorCode::invalid_argument, "input_size",
                preset_field_text(preset, "input_size") +
                    " was found, expected one number, the short side, with crop_mode none; use --resize-mode stretch "
                    "for a fixed input size");
  if (preset.input_height < 1 || preset.input_width < 1)
    throw Error(ErrorCode::invalid_argument, "input_size",
                preset_field_text(preset, "input_size") + " is no size, expected at least 1x1");
  if (!(preset.crop_pct > 0 && preset.crop_pct <= 1))
    throw Error(ErrorCode::invalid_argument, "crop_pct",
                preset_field_text(preset, "crop_pct") + " was found, expected more than 0 and at most 1");
}

Geometry resize_and_crop(const image::Pixels& pixels, const Preset& preset, PreprocessScratch& scratch) {
  check_preset(preset);
  check_pixels(pixels);
  const Crop crop = make_crop(pixels.width, pixels.height, preset);
  const auto& [plan, x, y] = crop;
  const auto width = static_cast<std::size_t>(preset.input_width);
  const auto height = static_cast<std::size_t>(preset.input_height);
  std::uint8_t* part = resized_part(crop, preset, scratch);
  if (!pixels.streamed && preset.resize_backend == ResizeBackend::opencv)
    resize_part_opencv(pixels.data.data(), x.axis, y.axis, scratch.resize.rows, part, width * 3);
  else if (!pixels.streamed)  // else PreprocessRows did it
    resize_part(pixels.data.data(), x.axis, y.axis, preset.interpolation, scratch.resize, part, width * 3);
  if (x.axis.count != preset.input_width || y.axis.count != preset.input_height)
    fill_borders(plan, x, y, width, height, scratch.resized.data());

  Geometry geometry;
  geometry.original_width = pixels.reduced == 1 ? pixels.width : pixels.full_width;
  geometry.original_height = pixels.reduced == 1 ? pixels.height : pixels.full_height;
  geometry.input_width = preset.input_width;
  geometry.input_height = preset.input_height;
  geometry.scale_x = static_cast<double>(plan.width) / geometry.original_width;
  geometry.scale_y = static_cast<double>(plan.height) / geometry.original_height;
  geometry.offset_x = -plan.left;
  geometry.offset_y = -plan.top;
  return geometry;
}

image::Region source_region(int width, int height, const Preset& preset) noexcept {
  const image::Region whole = {0, 0, width, height};
  // OpenCV has no box: it makes the whole result.
  if (preset.resize_backend != ResizeBackend::pillow) return whole;
  try {
    const Crop crop = make_crop(width, height, preset);
    const auto [left, right] = resize_source(crop.x.axis, preset.interpolation);
    const auto [top, bottom] = resize_source(crop.y.axis, preset.interpolation);
    return {left, top, right - left, bottom - top};
  } catch (const Error&) {
    return whole;
  }
}

int reduction(int width, int height, const Preset& preset) noexcept {
  try {
    const Plan plan = make_plan(width, height, preset);
    for (const int by : {8, 4, 2})
      if (width / plan.width >= 2 * by && height / plan.height >= 2 * by) return by;
  } catch (const Error&) {
    return 1;  // preprocess() will say why
  }
  return 1;
}

bool PreprocessRows::begin(int width, int height) {
  if (preset_.resize_backend != ResizeBackend::pillow) return false;
  try {
    const Crop crop = make_crop(width, height, preset_);
    return resize_.begin(crop.x.axis, crop.y.axis, preset_.interpolation, scratch_.resize,
                         resized_part(crop, preset_, scratch_), static_cast<std::size_t>(preset_.input_width) * 3);
  } catch (const Error&) {
    return false;  // preprocess() will say why
  }
}

void PreprocessRows::rows(int first, int count, int left, int width, const std::uint8_t* rgb, std::size_t stride) {
  using Clock = std::chrono::steady_clock;
  const Clock::time_point start = Clock::now();
  for (int i = 0; i < count; ++i) resize_.row(first + i, left, width, rgb + static_cast<std::size_t>(i) * stride);
  seconds_ += std::chrono::duration<double>(Clock::now() - start).count();
}

Geometry preprocess(const image::Pixels& pixels, const Preset& preset, PreprocessScratch& scratch, float* row) {
  const Geometry geometry = resize_and_crop(pixels, preset, scratch);
  update_table(preset, scratch.table);
  to_planes(scratch.resized.data(), scratch.resized.size() / 3, preset.channel_order, scratch.table.values, row);
  return geometry;
}

Geometry to_unit_chw(const image::Pixels& pixels, const Preset& preset, float* chw) {
  check_pixels(pixels);
  std::array<std::array<float, 256>, 3> values{};
  for (auto& channel : values)
    for (std::size_t v = 0; v < 256; ++v) channel.at(v) = static_cast<float>(v) / 255.0F;
  const std::size_t count = static_cast<std::size_t>(pixels.width) * static_cast<std::size_t>(pixels.height);
  to_planes(pixels.data.data(), count, preset.channel_order, values, chw);
  Geometry geometry;
  geometry.original_width = geometry.input_width = pixels.width;
  geometry.original_height = geometry.input_height = pixels.height;
  return geometry;
}

}  // namespace ptrun
