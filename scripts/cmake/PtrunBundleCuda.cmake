# Component cuda of a package with its own LibTorch: what libtorch_cuda links or opens by name, beside libtorch_cpu. All
# of it finds its neighbours by a run path of $ORIGIN. Of the 3.9 GB in the wheels are left out: other programming
# interfaces (cufftw, nvblas, cusolverMg), what several machines need to talk to each other, profilers, static libraries.
set(cuda_names
  torch_cuda torch_cuda_linalg c10_cuda torch_nvshmem caffe2_nvrtc  # LibTorch; linalg and nvrtc are opened by name
  cublas cublasLt cufft cufile cusolver cusparse cusparseLt nccl nvshmem_host nvJitLink
  nvrtc nvrtc-builtins  # builtins: opened by name
  cudnn cudnn_adv cudnn_cnn cudnn_engines_precompiled cudnn_engines_runtime_compiled cudnn_engines_tensor_ir cudnn_ext
  cudnn_graph cudnn_heuristic cudnn_ops)  # all but cudnn itself: opened by name
set(cuda_files)
foreach(name IN LISTS cuda_names)
  file(GLOB found "${LibTorch_LIBRARY_DIR}/lib${name}.so" "${LibTorch_LIBRARY_DIR}/lib${name}.so.*"
    "${LibTorch_ROOT_DIR}/../nvidia/*/lib/lib${name}.so.*")
  list(APPEND cuda_files ${found})
endforeach()
install(PROGRAMS ${cuda_files} DESTINATION "${ptrun_private_dir}" COMPONENT cuda)
