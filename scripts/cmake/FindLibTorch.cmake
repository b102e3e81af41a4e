# Finds LibTorch's headers, libtorch_cpu and libc10 and gives the target LibTorch::cpu.
#
# The wheel's own TorchConfig.cmake enables the CUDA language and links every CUDA library; ptrun needs neither.
# LIBTORCH_ROOT: a folder with include/ and lib/: what scripts/setup/libtorch.sh brings, `torch` of an installed wheel,
# or `libtorch` of the zip that PyTorch publishes. Empty: the environment variable LIBTORCH_ROOT, then the cache that
# scripts/setup fills. Results: LibTorch_FOUND, LibTorch_VERSION, LibTorch_ROOT_DIR, LibTorch_LIBRARY_DIR.
set(LIBTORCH_ROOT "" CACHE PATH "Folder that holds LibTorch's include/ and lib/")

set(libtorch_version "$ENV{PTRUN_TORCH_VERSION}")
if(NOT libtorch_version)
  set(libtorch_version 2.15.0)
endif()

if(LIBTORCH_ROOT)
  set(libtorch_tried "${LIBTORCH_ROOT}")
elseif(DEFINED ENV{LIBTORCH_ROOT})
  set(libtorch_tried "$ENV{LIBTORCH_ROOT}")
else()
  set(libtorch_tried "${PTRUN_DEPS_DIR}/libtorch-${libtorch_version}/torch")
endif()
# Nothing is cached: a changed LIBTORCH_ROOT must not meet the libraries of the former one.
set(libtorch_places "${libtorch_tried}" "${libtorch_tried}/torch" "${libtorch_tried}/libtorch")
unset(LibTorch_INCLUDE_DIR CACHE)
unset(LibTorch_CPU_LIBRARY CACHE)
unset(LibTorch_C10_LIBRARY CACHE)
find_path(LibTorch_INCLUDE_DIR NAMES torch/csrc/jit/api/module.h
  PATHS ${libtorch_places} PATH_SUFFIXES include NO_CACHE NO_DEFAULT_PATH)
find_library(LibTorch_CPU_LIBRARY NAMES torch_cpu PATHS ${libtorch_places} PATH_SUFFIXES lib NO_CACHE NO_DEFAULT_PATH)
find_library(LibTorch_C10_LIBRARY NAMES c10 PATHS ${libtorch_places} PATH_SUFFIXES lib NO_CACHE NO_DEFAULT_PATH)

set(LibTorch_VERSION "")
if(LibTorch_INCLUDE_DIR)
  # Newer versions keep the numbers in headeronly/ and include them from the old place.
  foreach(header torch/headeronly/version.h torch/csrc/api/include/torch/version.h)
    if(EXISTS "${LibTorch_INCLUDE_DIR}/${header}" AND NOT LibTorch_VERSION)
      file(STRINGS "${LibTorch_INCLUDE_DIR}/${header}" lines REGEX "#define TORCH_VERSION_(MAJOR|MINOR|PATCH) [0-9]+")
      string(REGEX REPLACE "[^0-9;]" "" numbers "${lines}")
      list(JOIN numbers "." LibTorch_VERSION)
    endif()
  endforeach()
  get_filename_component(LibTorch_ROOT_DIR "${LibTorch_INCLUDE_DIR}" DIRECTORY)
endif()

if(LibTorch_INCLUDE_DIR AND LibTorch_CPU_LIBRARY)
  set(libtorch_reason "it is too old")
elseif(EXISTS "${libtorch_tried}")
  set(libtorch_reason "${libtorch_tried} holds no include/torch/csrc/jit/api/module.h with lib/libtorch_cpu.so")
else()
  set(libtorch_reason "${libtorch_tried} does not exist")
endif()
include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(LibTorch
  REQUIRED_VARS LibTorch_CPU_LIBRARY LibTorch_C10_LIBRARY LibTorch_INCLUDE_DIR
  VERSION_VAR LibTorch_VERSION
  REASON_FAILURE_MESSAGE "${libtorch_reason}: run scripts/setup/libtorch.sh, or give -DLIBTORCH_ROOT=FOLDER, a folder with LibTorch's include/ and lib/ (the torch wheel's `torch` or the zip's `libtorch`)")

if(LibTorch_FOUND)
  get_filename_component(LibTorch_LIBRARY_DIR "${LibTorch_CPU_LIBRARY}" DIRECTORY)
endif()
if(LibTorch_FOUND AND NOT TARGET LibTorch::cpu)
  add_library(LibTorch::c10 UNKNOWN IMPORTED GLOBAL)
  set_target_properties(LibTorch::c10 PROPERTIES IMPORTED_LOCATION "${LibTorch_C10_LIBRARY}")
  add_library(LibTorch::cpu UNKNOWN IMPORTED GLOBAL)
  set(libtorch_includes "${LibTorch_INCLUDE_DIR}" "${LibTorch_INCLUDE_DIR}/torch/csrc/api/include")
  set_target_properties(LibTorch::cpu PROPERTIES
    IMPORTED_LOCATION "${LibTorch_CPU_LIBRARY}"
    INTERFACE_INCLUDE_DIRECTORIES "${libtorch_includes}"
    INTERFACE_SYSTEM_INCLUDE_DIRECTORIES "${libtorch_includes}"
    INTERFACE_LINK_LIBRARIES LibTorch::c10)
endif()
