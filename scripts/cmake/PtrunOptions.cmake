# Every option of the build, with its reason, and the compile settings that all rooms share.
option(PTRUN_BUILD_TESTS "Build the tests (needs GoogleTest)" ${PROJECT_IS_TOP_LEVEL})
# The parser rooms and their tests are built alone under sanitizers: LibTorch is not instrumented.
option(PTRUN_WITH_TORCH "Build everything; OFF: only the rooms that do not link LibTorch" ON)
option(PTRUN_WITH_CUDA "Build runtime/executor/cuda (needs LibTorch with CUDA: scripts/setup/libtorch.sh --cuda)" OFF)
option(PTRUN_WITH_OPENCV "Build libptrun_opencv.so, the resize of models trained behind cv2 (needs OpenCV core and imgproc)" ON)
option(PTRUN_TEST_DESKTOP "Test apps/desktop against the installed package (needs Qt 6 and Xvfb)" OFF)
option(PTRUN_WERROR "Warnings are errors" OFF)
set(PTRUN_SANITIZE "" CACHE STRING "Sanitizers, for example address,undefined")
option(PTRUN_FUZZ "Build tests/fuzz as libFuzzer programs (needs clang; with PTRUN_WITH_TORCH=OFF)" OFF)

# Where scripts/setup puts what it downloads: the same rule as scripts/setup/common.sh.
if(DEFINED ENV{PTRUN_DEPS})
  set(PTRUN_DEPS_DIR "$ENV{PTRUN_DEPS}")
elseif(DEFINED ENV{XDG_CACHE_HOME})
  set(PTRUN_DEPS_DIR "$ENV{XDG_CACHE_HOME}/ptrun")
else()
  set(PTRUN_DEPS_DIR "$ENV{HOME}/.cache/ptrun")
endif()
# Tests that need real weights take these (scripts/setup/weights.sh brings them) and fail, not skip, without.
set(PTRUN_TEST_WEIGHTS "${PTRUN_DEPS_DIR}/weights/mobilenet_v2-b0353104.pth" CACHE FILEPATH
  "torchvision's published MobileNetV2 weights, for the tests")

# A room finds the libraries it alone uses; libptrun and the tests link them from other folders.
set(CMAKE_FIND_PACKAGE_TARGETS_GLOBAL ON)

set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
set(CMAKE_CXX_VISIBILITY_PRESET hidden)
set(CMAKE_VISIBILITY_INLINES_HIDDEN ON)
set(CMAKE_RUNTIME_OUTPUT_DIRECTORY "${PROJECT_BINARY_DIR}/bin")
set(CMAKE_LIBRARY_OUTPUT_DIRECTORY "${PROJECT_BINARY_DIR}/lib")
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
if(NOT CMAKE_BUILD_TYPE AND NOT CMAKE_CONFIGURATION_TYPES)
  set(CMAKE_BUILD_TYPE Release CACHE STRING "" FORCE)
endif()

find_program(PTRUN_CCACHE ccache)
if(PTRUN_CCACHE)
  # ccache misses every file behind a precompiled header without these (ccache manual, "Precompiled headers").
  set(CMAKE_CXX_COMPILER_LAUNCHER ${CMAKE_COMMAND} -E env
    CCACHE_SLOPPINESS=pch_defines,time_macros,include_file_mtime,include_file_ctime
    CCACHE_BASEDIR=${PROJECT_SOURCE_DIR} CCACHE_NOHASHDIR=1 ${PTRUN_CCACHE})
endif()

add_library(ptrun_settings INTERFACE)
target_compile_options(ptrun_settings INTERFACE
  -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wsign-conversion -Wnon-virtual-dtor
  $<$<BOOL:${PTRUN_WERROR}>:-Werror>
  # GCC 12 sees an overlapping copy in "text" + std::string() that is not there (GCC bug 105651).
  $<$<CXX_COMPILER_ID:GNU>:-Wno-restrict>
  # GCC 13 and 14 take every conversion to a reference of a c10::List's element for one of a temporary.
  $<$<AND:$<CXX_COMPILER_ID:GNU>,$<VERSION_GREATER_EQUAL:$<CXX_COMPILER_VERSION>,13>>:-Wno-dangling-reference>
  $<$<CXX_COMPILER_ID:GNU>:-fpch-preprocess>)
if(PTRUN_FUZZ)
  target_compile_options(ptrun_settings INTERFACE -fsanitize=fuzzer-no-link,address,undefined
    -fno-omit-frame-pointer -fno-sanitize-recover=all)
  target_link_options(ptrun_settings INTERFACE -fsanitize=address,undefined)
endif()
if(PTRUN_SANITIZE)
  target_compile_options(ptrun_settings INTERFACE
    -fsanitize=${PTRUN_SANITIZE} -fno-omit-frame-pointer -fno-sanitize-recover=all)
  target_link_options(ptrun_settings INTERFACE -fsanitize=${PTRUN_SANITIZE})
endif()
