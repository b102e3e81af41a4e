/* example_label_c MODEL PHOTO: the best label of a photo. */
#include <ptrun/c_api.h>
#include <stdio.h>

int main(int argc, char** argv) {
  ptrun_model* model;
  ptrun_predictor* predictor;
  ptrun_result* result;
  const ptrun_class* classes;
  size_t count;
  if (argc != 3 || ptrun_load(argv[1], NULL, &model) || ptrun_predictor_create(model, NULL, &predictor) ||
      ptrun_predict_file(predictor, argv[2], &result) || ptrun_result_get_classes(result, &classes, &count))
    return fprintf(stderr, "%s\n", ptrun_last_error()), 1;
  printf("%s %.4f\n", classes[0].label, classes[0].score);
  return ptrun_predictor_free(predictor);
}
