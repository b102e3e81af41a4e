// The C interface of an AOTInductor library (torch/csrc/inductor/aoti_runtime/interface.h), written by hand: the means
// of the colours, [N, 3] from [N, 3, H, W]. Its first act when it is loaded is to say so in the environment.
#include <ATen/ATen.h>

#include <cstdint>
#include <cstdlib>

namespace {

using Status = std::int32_t;

const int kLoaded = setenv("PTRUN_TEST_NATIVE_CODE_RAN", "1", 1);
int container = kLoaded;

}  // namespace

extern "C" {

#define PTRUN_EXPORT __attribute__((visibility("default")))

PTRUN_EXPORT Status AOTInductorModelContainerCreateWithDevice(void** handle, std::size_t, const char*, const char*) {
  *handle = &container;
  return 0;
}
PTRUN_EXPORT Status AOTInductorModelContainerDelete(void*) { return 0; }
PTRUN_EXPORT Status AOTInductorModelContainerGetNumOutputs(void*, std::size_t* count) {
  *count = 1;
  return 0;
}
PTRUN_EXPORT Status AOTInductorModelContainerGetNumConstants(void*, std::size_t* count) {
  *count = 0;
  return 0;
}
PTRUN_EXPORT Status AOTInductorModelContainerGetCallSpec(void*, const char** in, const char** out) {
  *in = "";
  *out = "";
  return 0;
}
PTRUN_EXPORT Status AOTInductorModelContainerRun(void*, at::Tensor** inputs, std::size_t, at::Tensor** outputs,
                                                 std::size_t, void*, void*) {
  const at::Tensor& image = *inputs[0];
  // As generated code does: by the pointer, without a look at strides.
  const auto* data = image.const_data_ptr<float>();
  const std::int64_t plane = image.size(2) * image.size(3);
  auto* means = new at::Tensor(at::empty({image.size(0), 3}));
  for (std::int64_t i = 0; i < means->numel(); ++i) {
    float sum = 0;
    for (std::int64_t pixel = 0; pixel < plane; ++pixel) sum += data[i * plane + pixel];
    means->mutable_data_ptr<float>()[i] = sum / static_cast<float>(plane);
  }
  outputs[0] = means;
  // Inputs are the callee's; what it leaves in the array is freed by LibTorch.
  delete inputs[0];
  inputs[0] = nullptr;
  return 0;
}
// Never called by ptrun; LibTorch looks for them when it opens the library.
PTRUN_EXPORT Status AOTInductorModelContainerGetConstantName(void*, std::size_t, const char**) { return 1; }
PTRUN_EXPORT Status AOTInductorModelContainerGetConstantOriginalFQN(void*, std::size_t, const char**) { return 1; }
PTRUN_EXPORT Status AOTInductorModelContainerGetConstantDtype(void*, std::size_t, std::int32_t*) { return 1; }
PTRUN_EXPORT Status AOTInductorModelContainerUpdateConstantBuffer(void*, void*, bool, bool) { return 1; }
PTRUN_EXPORT Status AOTInductorModelContainerUpdateInactiveConstantBuffer(void*, void*) { return 1; }
PTRUN_EXPORT Status AOTInductorModelContainerExtractConstantsMap(void*, void*, bool) { return 1; }
PTRUN_EXPORT Status AOTInductorModelContainerRunConstantFolding(void*, bool, void*, void*) { return 1; }
PTRUN_EXPORT Status AOTInductorModelContainerSwapConstantBuffer(void*) { return 1; }
}
