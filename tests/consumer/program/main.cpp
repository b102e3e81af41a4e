// Prints the best label of an image: what a program outside this tree writes against the installed package.
#include <exception>
#include <iostream>

#include "ptrun/model.h"
#include "ptrun/predictor.h"

int main(int argc, char** argv) {
  if (argc != 3) {
    std::cerr << "usage: consumer MODEL IMAGE\n";
    return 2;
  }
  try {
    const ptrun::Model model = ptrun::load_model(argv[1]);
    ptrun::Predictor predictor(model);
    ptrun::Input input;
    input.path = argv[2];
    const ptrun::Outcome outcome = predictor.predict(input);
    if (!outcome.ok()) {
      std::cerr << outcome.failure.message << '\n';
      return 1;
    }
    const ptrun::ClassScore& best = outcome.prediction->classes.at(0);
    std::cout << best.index << ' ' << best.label << ' ' << best.score << '\n';
    return 0;
  } catch (const std::exception& error) {
    std::cerr << error.what() << '\n';
    return 1;
  }
}
