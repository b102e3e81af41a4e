// example_label MODEL PHOTO: the best label of a photo.
#include <ptrun/predictor.h>

#include <iostream>

int main(int, char** argv) {
  ptrun::Predictor predictor(ptrun::load_model(argv[1]));
  ptrun::Input photo;
  photo.path = argv[2];
  const ptrun::Outcome outcome = predictor.predict(photo);
  std::cout << (outcome.ok() ? outcome.prediction->classes.at(0).label : outcome.failure.message) << '\n';
}
