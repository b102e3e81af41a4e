// example_pixels MODEL: pixels as a desktop toolkit has them (BGRA, rows with a gap), without a copy.
#include <ptrun/error.h>
#include <ptrun/predictor.h>

#include <iostream>
#include <vector>

int main(int, char** argv) try {
  const int width = 320;
  const int height = 200;
  const std::size_t stride = 4 * width + 64;
  std::vector<unsigned char> bgra(stride * height);
  for (int y = 0; y < height; ++y) {
    for (int x = 0; x < width; ++x) {
      unsigned char* pixel = &bgra[y * stride + 4 * x];
      pixel[0] = static_cast<unsigned char>(255 - y);  // a sky
      pixel[1] = static_cast<unsigned char>(180 - y / 2);
      pixel[2] = 90;
    }
  }
  ptrun::Predictor predictor(ptrun::load_model(argv[1]));
  ptrun::Input image;
  image.pixels = {bgra.data(), width, height, stride, ptrun::ImageView::Format::bgra};
  image.name = "a sky";
  const ptrun::Outcome outcome = predictor.predict(image);
  if (!outcome.ok()) throw ptrun::Error(ptrun::ErrorCode::bad_image, "", outcome.failure.message);
  for (const ptrun::ClassScore& score : outcome.prediction->classes) {
    std::cout << score.score << ' ' << score.label << '\n';
  }
} catch (const std::exception& error) {
  std::cerr << error.what() << '\n';
  return 1;
}
