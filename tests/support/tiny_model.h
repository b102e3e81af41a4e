// Small models made by the graph builder, for tests of what stands around a model.
#pragma once

#include "ptrun/model.h"

namespace ptrun::test {

// Scores of three classes: the mean of each colour, 0..1. The input is 8 x 8, not normalised.
Model mean_colour_model();
// Two classes by brightness; a white image makes the model throw.
Model model_that_throws_on_white();
// The logarithm of the mean colours: minus infinity for a black image.
Model model_that_is_infinite_on_black();

}  // namespace ptrun::test
