// ptrun::strips: a depthwise convolution with the 1x1 convolutions around it, a few rows of an image at a time. What
// stands between the layers never leaves the second cache: of MobileNetV2's first blocks that is 4.8 MB an image.
#include <ATen/ATen.h>
#include <ATen/Parallel.h>

#include <algorithm>
#include <cstring>

#include "operators/fused_layers.h"
#include "operators/parallel.h"

namespace ptrun {
namespace {

// Half of a small second cache.
constexpr std::size_t kStripBytes = std::size_t{320} * 1024;

struct Layers {
  const kernels::Loops* loops = nullptr;  // of images
  std::size_t element_size = 0;
  std::optional<PointwiseLayer> expand, project;
  kernels::Depthwise depthwise;
  std::size_t strip = 1;     // rows of results at a time
  std::size_t source = 0;    // rows of the depthwise convolution's input that they need at most
  const char* in = nullptr;  // of all images
  const char* other = nullptr;
  char* out = nullptr;
  std::size_t in_row = 0, middle_row = 0, made_row = 0, out_row = 0;  // bytes of a row before, between and behind
};

void choose_strip(Layers& l) {
  const kernels::Depthwise& d = l.depthwise;
  l.in_row = d.width * (l.expand ? l.expand->product.depth : d.channels) * l.element_size;
  l.middle_row = d.width * d.channels * l.element_size;
  l.made_row = d.out_width * d.channels * l.element_size;
  l.out_row = d.out_width * (l.project ? l.project->product.columns : d.channels) * l.element_size;
  const std::size_t row = (l.expand ? d.stride * l.middle_row : 0) + (l.project ? l.made_row : 0);
  const std::size_t most = std::clamp<std::size_t>(kStripBytes / row, 1, d.out_height);
  const std::size_t count = (d.out_height + most - 1) / most;
  l.strip = (d.out_height + count - 1) / count;
  l.source = (l.strip - 1) * d.stride + d.kernel;
}

// The rows of results of one thread.
class StripRun {
 public:
  explicit StripRun(const Layers& layers) : l_(layers), d_(layers.depthwise) {
    const auto bytes = [](std::size_t size) { return at::empty({static_cast<std::int64_t>(size)}, at::kByte); };
    if (l_.expand) {
      expand_.emplace(*l_.expand);
      middle_ = bytes(l_.source * l_.middle_row);
      d_.in = middle_.const_data_ptr();
    }
    if (l_.project) {
      project_.emplace(*l_.project);
      made_ = bytes(l_.strip * l_.made_row);
      d_.out = made_.mutable_data_ptr();
    }
  }

  void image(std::size_t index, std::size_t first, std::size_t last) {
    const char* in = l_.in + index * d_.height * l_.in_row;
    const std::size_t results = index * d_.out_height * l_.out_row;
    begin_ = end_ = 0;
    if (!expand_) d_.in = in;
    if (!project_) d_.out = l_.out + results;
    for (std::size_t row = first; row < last; row += l_.strip) {
      const std::size_t end = std::min(row + l_.strip, last);
      if (expand_) expand(in, row, end);
      if (project_) d_.first_out = row;
      l_.loops->depthwise(d_, row, end);
      if (!project_) continue;
      const std::size_t at = results + row * l_.out_row;
      (*project_)(made_.const_data_ptr(), (end - row) * d_.out_width, l_.other == nullptr ? nullptr : l_.other + at,
                  l_.out + at);
    }
  }

 private:
  // Rows of the depthwise convolution's input for the results [row, end); those that are there already move up.
  void expand(const char* in, std::size_t row, std::size_t end) {
    const std::size_t top = std::max(row * d_.stride, d_.padding) - d_.padding;
    const std::size_t bottom =
        std::min(std::max((end - 1) * d_.stride + d_.kernel, d_.padding) - d_.padding, d_.height);
    auto* middle = static_cast<char*>(middle_.mutable_data_ptr());
    const bool kept = begin_ <= top && top < end_;
    if (kept) std::memmove(middle, middle + (top - begin_) * l_.middle_row, (end_ - top) * l_.middle_row);
    const std::size_t from = kept ? end_ : top;
    if (from < bottom) {
      (*expand_)(in + from * l_.in_row, (bottom - from) * d_.width, nullptr, middle + (from - top) * l_.middle_row);
    }
    begin_ = d_.first_in = top;
    end_ = std::max(from, bottom);
  }

  const Layers& l_;
  kernels::Depthwise d_;
  std::optional<PointwiseRun> expand_, project_;
  at::Tensor middle_, made_;
  std::size_t begin_ = 0, end_ = 0;  // rows that `middle_` holds
};

}  // namespace

at::Tensor strips(const at::Tensor& given, const std::optional<at::Tensor>& expand_weight,
                  const std::optional<at::Tensor>& expand_scales, const std::optional<at::Tensor>& expand_bias,
                  std::int64_t expand_columns, at::ArrayRef<double> expand_epilogue, const at::Tensor& taps,
                  const at::Tensor& bias, std::int64_t kernel, std::int64_t stride, std::int64_t padding,
                  at::ArrayRef<double> epilogue, const std::optional<at::Tensor>& project_weight,
                  const std::optional<at::Tensor>& project_scales, const std::optional<at::Tensor>& project_bias,
                  const std::optional<at::Tensor>& given_other, std::int64_t project_columns,
                  at::ArrayRef<double> project_epilogue) {
  TORCH_CHECK(given.dim() == 4, "ptrun::strips: the input is ", given.sizes(), ", expected [N, C, H, W]");
  TORCH_CHECK(expand_weight.has_value() == expand_bias.has_value() &&
                  project_weight.has_value() == project_bias.has_value() && (!given_other || project_weight),
              "ptrun::strips: weights, bias and summand come together");
  const at::Tensor input = given.contiguous(at::MemoryFormat::ChannelsLast);
  Layers l;
  l.loops = &loops_for(input.scalar_type());
  l.element_size = input.dtype().itemsize();
  const std::int64_t channels = expand_weight ? expand_columns : input.size(1);
  if (expand_weight) {
    l.expand = pointwise_layer(*expand_weight, expand_scales, *expand_bias, expand_columns, input.size(1),
                               input.scalar_type(), epilogue_of(expand_epilogue));
  }
  l.depthwise = depthwise_layer(taps, bias, kernel, stride, padding, channels, input.size(2), input.size(3),
                                epilogue_of(epilogue));
  if (project_weight) {
    l.project = pointwise_layer(*project_weight, project_scales, *project_bias, project_columns, channels,
                                input.scalar_type(), epilogue_of(project_epilogue));
  }
  const std::vector<std::int64_t> sizes = {input.size(0), project_weight ? project_columns : channels,
                                           static_cast<std::int64_t>(l.depthwise.out_height),
                                           static_cast<std::int64_t>(l.depthwise.out_width)};
  at::Tensor out = at::empty(sizes, input.options(), at::MemoryFormat::ChannelsLast);
  if (out.numel() == 0) return out;
  at::Tensor other;
  if (given_other) {
    TORCH_CHECK(given_other->sizes() == at::IntArrayRef(sizes) && given_other->scalar_type() == input.scalar_type(),
                "ptrun::strips: the summand is ", given_other->sizes(), ", expected ", at::IntArrayRef(sizes));
    other = given_other->contiguous(at::MemoryFormat::ChannelsLast);
    l.other = static_cast<const char*>(other.const_data_ptr());
  }
  l.in = static_cast<const char*>(input.const_data_ptr());
  l.out = static_cast<char*>(out.mutable_data_ptr());
  choose_strip(l);
  const std::int64_t height = sizes[2];
  const std::int64_t rows = sizes[0] * height;
  const kernels::Depthwise& d = l.depthwise;
  const auto taps_of = static_cast<double>(d.kernel * d.kernel + (project_weight ? l.project->product.columns : 0));
  const double made = static_cast<double>(d.out_height * d.out_width) * taps_of;
  const double expanded = expand_weight ? static_cast<double>(d.height * d.width * l.expand->product.depth) : 0.0;
  const std::int64_t threads =
      threads_for(static_cast<double>(sizes[0] * channels) * (made + expanded), input.scalar_type());
  parallel_for(0, rows, (rows + threads - 1) / threads, [&](std::int64_t first, std::int64_t last) {
    StripRun run(l);
    for (std::int64_t row = first; row < last;) {
      const std::int64_t image = row / height;
      const std::int64_t end = std::min(last, (image + 1) * height);
      run.image(static_cast<std::size_t>(image), static_cast<std::size_t>(row - image * height),
                static_cast<std::size_t>(end - image * height));
      row = end;
    }
  });
  return out;
}

}  // namespace ptrun
