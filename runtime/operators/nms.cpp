#include <ATen/ATen.h>

#include "operators/kernels.h"

namespace ptrun::operators {
namespace {

template <typename Scalar>
at::Tensor keep_best(const at::Tensor& boxes, const at::Tensor& order, double iou_threshold) {
  const std::int64_t count = boxes.size(0);
  const Scalar* box = boxes.const_data_ptr<Scalar>();
  const std::int64_t* by_score = order.const_data_ptr<std::int64_t>();
  std::vector<Scalar> areas(static_cast<std::size_t>(count));
  for (std::int64_t i = 0; i < count; ++i) {
    const Scalar* b = box + 4 * i;
    areas[static_cast<std::size_t>(i)] = (b[2] - b[0]) * (b[3] - b[1]);
  }
  std::vector<bool> gone(static_cast<std::size_t>(count));
  at::Tensor kept = at::empty({count}, order.options());
  auto* out = kept.mutable_data_ptr<std::int64_t>();
  std::int64_t used = 0;
  for (std::int64_t i = 0; i < count; ++i) {
    const std::int64_t best = by_score[i];
    if (gone[static_cast<std::size_t>(best)]) continue;
    out[used++] = best;
    const Scalar* a = box + 4 * best;
    for (std::int64_t j = i + 1; j < count; ++j) {
      const std::int64_t other = by_score[j];
      if (gone[static_cast<std::size_t>(other)]) continue;
      const Scalar* b = box + 4 * other;
      const Scalar width = std::max<Scalar>(0, std::min(a[2], b[2]) - std::max(a[0], b[0]));
      const Scalar height = std::max<Scalar>(0, std::min(a[3], b[3]) - std::max(a[1], b[1]));
      const Scalar shared = width * height;
      const Scalar total = areas[static_cast<std::size_t>(best)] + areas[static_cast<std::size_t>(other)] - shared;
      if (static_cast<double>(shared / total) > iou_threshold) gone[static_cast<std::size_t>(other)] = true;
    }
  }
  return kept.narrow(0, 0, used).clone();
}

}  // namespace

at::Tensor nms(const at::Tensor& boxes, const at::Tensor& scores, double iou_threshold) {
  TORCH_CHECK(boxes.dim() == 2 && boxes.size(1) == 4, "torchvision::nms: boxes are ", boxes.sizes(),
              ", expected [N, 4]");
  TORCH_CHECK(scores.dim() == 1 && scores.size(0) == boxes.size(0), "torchvision::nms: scores are ", scores.sizes(),
              ", expected one for each of ", boxes.size(0), " boxes");
  TORCH_CHECK(boxes.scalar_type() == scores.scalar_type(), "torchvision::nms: boxes and scores differ in dtype");
  const at::Tensor order = std::get<1>(scores.sort(/*stable=*/true, /*dim=*/0, /*descending=*/true)).contiguous();
  const at::Tensor dense = boxes.contiguous();
  at::Tensor kept;
  AT_DISPATCH_FLOATING_TYPES(boxes.scalar_type(), "torchvision::nms",
                             [&] { kept = keep_best<scalar_t>(dense, order, iou_threshold); });
  return kept;
}

}  // namespace ptrun::operators
