// OpenCV's resize as another version of the library might bring it: the same name, a wrong result.
#include <opencv2/core.hpp>
#include <opencv2/imgproc.hpp>

namespace {
int calls = 0;
}

extern "C" int ptrun_test_other_opencv_calls() { return calls; }

void cv::resize(InputArray, OutputArray, Size, double, double, int) { ++calls; }
