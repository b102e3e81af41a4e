# Finds OpenCV's core and imgproc from the small packages (libopencv-core-dev, libopencv-imgproc-dev) and gives the
# target OpenCVImgproc::imgproc. They ship no OpenCVConfig.cmake: that comes with libopencv-dev, 471 packages, 1.4 GB.
find_path(OpenCVImgproc_INCLUDE_DIR NAMES opencv2/imgproc.hpp PATH_SUFFIXES opencv4)
find_library(OpenCVImgproc_CORE_LIBRARY NAMES opencv_core)
find_library(OpenCVImgproc_LIBRARY NAMES opencv_imgproc)

include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(OpenCVImgproc
  REQUIRED_VARS OpenCVImgproc_LIBRARY OpenCVImgproc_CORE_LIBRARY OpenCVImgproc_INCLUDE_DIR
  REASON_FAILURE_MESSAGE "install libopencv-core-dev and libopencv-imgproc-dev")

if(OpenCVImgproc_FOUND AND NOT TARGET OpenCVImgproc::imgproc)
  add_library(OpenCVImgproc::imgproc UNKNOWN IMPORTED)
  set_target_properties(OpenCVImgproc::imgproc PROPERTIES
    IMPORTED_LOCATION "${OpenCVImgproc_LIBRARY}"
    INTERFACE_INCLUDE_DIRECTORIES "${OpenCVImgproc_INCLUDE_DIR}"
    INTERFACE_LINK_LIBRARIES "${OpenCVImgproc_CORE_LIBRARY}")
endif()
mark_as_advanced(OpenCVImgproc_INCLUDE_DIR OpenCVImgproc_CORE_LIBRARY OpenCVImgproc_LIBRARY)
