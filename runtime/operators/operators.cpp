#include "operators/operators.h"

#include <ATen/core/dispatch/Dispatcher.h>
#include <torch/library.h>

#include <algorithm>
#include <atomic>
#include <mutex>

#include "operators/kernels.h"

namespace ptrun {
namespace {

std::int64_t cuda_version() { return -1; }

struct Row {
  const char* name;
  const char* schema;  // as torchvision 0.29 declares it
  void (*implement)(torch::Library& library);
};

template <auto Kernel>
void implement_cpu(torch::Library& library, const char* name) {
  library.impl(name, torch::dispatch(c10::DispatchKey::CPU, TORCH_FN(Kernel)));
}

const Row kRows[] = {
    {"nms", "nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
     [](torch::Library& library) { implement_cpu<operators::nms>(library, "nms"); }},
    {"roi_align",
     "roi_align(Tensor input, Tensor rois, float spatial_scale, int pooled_height, int pooled_width, int "
     "sampling_ratio, "
     "bool aligned) -> Tensor",
     [](torch::Library& library) { implement_cpu<operators::roi_align>(library, "roi_align"); }},
    {"roi_pool",
     "roi_pool(Tensor input, Tensor rois, float spatial_scale, int pooled_height, int pooled_width) -> (Tensor, "
     "Tensor)",
     [](torch::Library& library) { implement_cpu<operators::roi_pool>(library, "roi_pool"); }},
    {"ps_roi_align",
     "ps_roi_align(Tensor input, Tensor rois, float spatial_scale, int pooled_height, int pooled_width, int "
     "sampling_ratio) -> (Tensor, Tensor)",
     [](torch::Library& library) { implement_cpu<operators::ps_roi_align>(library, "ps_roi_align"); }},
    {"ps_roi_pool",
     "ps_roi_pool(Tensor input, Tensor rois, float spatial_scale, int pooled_height, int pooled_width) -> (Tensor, "
     "Tensor)",
     [](torch::Library& library) { implement_cpu<operators::ps_roi_pool>(library, "ps_roi_pool"); }},
    {"deform_conv2d",
     "deform_conv2d(Tensor input, Tensor weight, Tensor offset, Tensor mask, Tensor bias, int stride_h, int stride_w, "
     "int "
     "pad_h, int pad_w, int dilation_h, int dilation_w, int groups, int offset_groups, bool use_mask) -> Tensor",
     [](torch::Library& library) { implement_cpu<operators::deform_conv2d>(library, "deform_conv2d"); }},
    {"box_iou_rotated", "box_iou_rotated(Tensor boxes1, Tensor boxes2) -> Tensor",
     [](torch::Library& library) { implement_cpu<operators::box_iou_rotated>(library, "box_iou_rotated"); }},
    {"_cuda_version", "_cuda_version() -> int",
     [](torch::Library& library) { library.impl("_cuda_version", TORCH_FN(cuda_version)); }},
};

bool is_registered(const std::string& name) {
  return c10::Dispatcher::singleton().findSchema({"torchvision::" + name, ""}).has_value();
}

std::atomic<bool> registered = false;

}  // namespace

void register_operators() {
  static std::once_flag once;
  std::call_once(once, [] {
    registered = true;
    // Never destroyed: a library that goes takes its operators with it, while models may still run at exit.
    static auto* const library =
        new torch::Library(torch::Library::FRAGMENT, "torchvision", std::nullopt, __FILE__, __LINE__);
    for (const Row& row : kRows) {
      if (is_registered(row.name)) continue;
      library->def(row.schema);
      row.implement(*library);
    }
  });
}

bool operators_are_registered() { return registered; }

const std::vector<std::string>& provided_operators() {
  static const std::vector<std::string> names = [] {
    std::vector<std::string> made;
    for (const Row& row : kRows) made.push_back(std::string("torchvision::") + row.name);
    return made;
  }();
  return names;
}

}  // namespace ptrun
