// CPU kernels of torchvision's operators, written from their definitions. float32 and float64.
#pragma once

#include <ATen/core/Tensor.h>

#include <tuple>

namespace ptrun::operators {

// Greedy non-maximum suppression: indices of `boxes` [N, 4] (x1, y1, x2, y2) that stay, best score first; a box goes
// when its intersection over union with a better one that stays is above `iou_threshold`. Equal scores keep their
// order.
at::Tensor nms(const at::Tensor& boxes, const at::Tensor& scores, double iou_threshold);

// Mask R-CNN (He et al. 2017), 3: the mean of bilinear samples in each bin. `rois` [K, 5] (batch index, x1, y1, x2,
// y2); `aligned` shifts by half a pixel. sampling_ratio <= 0: as many samples as the bin has pixels, rounded up.
at::Tensor roi_align(const at::Tensor& input, const at::Tensor& rois, double spatial_scale, std::int64_t pooled_height,
                     std::int64_t pooled_width, std::int64_t sampling_ratio, bool aligned);

// Fast R-CNN (Girshick 2015), 2.1: the maximum of each bin, and its index in the plane (-1 for an empty bin).
std::tuple<at::Tensor, at::Tensor> roi_pool(const at::Tensor& input, const at::Tensor& rois, double spatial_scale,
                                            std::int64_t pooled_height, std::int64_t pooled_width);

// R-FCN (Dai et al. 2016), 2: each bin has channels of its own. Also the channel that each output element came from.
std::tuple<at::Tensor, at::Tensor> ps_roi_align(const at::Tensor& input, const at::Tensor& rois, double spatial_scale,
                                                std::int64_t pooled_height, std::int64_t pooled_width,
                                                std::int64_t sampling_ratio);
std::tuple<at::Tensor, at::Tensor> ps_roi_pool(const at::Tensor& input, const at::Tensor& rois, double spatial_scale,
                                               std::int64_t pooled_height, std::int64_t pooled_width);

// Deformable ConvNets v2 (Zhu et al. 2019): convolution whose samples are moved by `offset` (dy, dx for each kernel
// point) and weighed by `mask` when `use_mask`.
at::Tensor deform_conv2d(const at::Tensor& input, const at::Tensor& weight, const at::Tensor& offset,
                         const at::Tensor& mask, const at::Tensor& bias, std::int64_t stride_h, std::int64_t stride_w,
                         std::int64_t pad_h, std::int64_t pad_w, std::int64_t dilation_h, std::int64_t dilation_w,
                         std::int64_t groups, std::int64_t offset_groups, bool use_mask);

// Intersection over union of rotated boxes [N, 5] and [M, 5] (centre x, centre y, width, height, degrees
// counter-clockwise): float32 [N, M].
at::Tensor box_iou_rotated(const at::Tensor& boxes1, const at::Tensor& boxes2);

}  // namespace ptrun::operators
