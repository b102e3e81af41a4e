// example_async MODEL PHOTO...: loads with a progress line, queues all photos, prints answers as they come, gives up
// the rest after the first that cannot be read.
#include <ptrun/error.h>
#include <ptrun/predictor.h>

#include <future>
#include <iostream>
#include <vector>

int main(int argc, char** argv) try {
  ptrun::LoadOptions options;
  options.progress = [](const ptrun::LoadProgress& progress) {
    std::cerr << "\rloading " << 100 * progress.bytes_read / progress.bytes_total << " %";
  };
  options.log = [](ptrun::LogLevel, const std::string& message) { std::cerr << '\n' << message; };
  ptrun::Predictor predictor(ptrun::load_model(argv[1], options));
  std::cerr << '\n';

  const ptrun::Cancellation cancellation;  // a copy goes with every photo
  std::vector<std::future<ptrun::Outcome>> answers;
  for (int i = 2; i < argc; ++i) {
    ptrun::Input photo;
    photo.path = argv[i];
    answers.push_back(predictor.predict_async(photo, cancellation));
  }
  int failed = 0;
  for (std::size_t i = 0; i < answers.size(); ++i) {
    const ptrun::Outcome outcome = answers[i].get();
    if (outcome.cancelled) continue;
    std::cout << argv[i + 2] << ": ";
    if (outcome.ok()) {
      std::cout << outcome.prediction->classes.at(0).label << '\n';
    } else {
      std::cout << outcome.failure.message << '\n';
      cancellation.cancel();
      failed = 1;
    }
  }
  return failed;
} catch (const ptrun::Error& error) {
  std::cerr << error.what() << '\n';
  return 1;
}
