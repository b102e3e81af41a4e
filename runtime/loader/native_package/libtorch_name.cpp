// libptrun_torch.so: a library without code that is called libtorch.so. PyTorch's own libtorch.so is such an empty one,
// which names libtorch_cpu and, in CUDA builds, all of CUDA; compiled packages ask for it, and ptrun links without it.
extern "C" __attribute__((visibility("default"))) int ptrun_libtorch_name() { return 1; }
