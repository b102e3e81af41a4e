/* A C99 program that uses every part of the C interface on a real model; exits with the line where it was wrong. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ptrun/c_api.h"

#define CHECK(what)                                                                          \
  do {                                                                                       \
    if (!(what)) {                                                                           \
      fprintf(stderr, "line %d: %s; last error: %s\n", __LINE__, #what, ptrun_last_error()); \
      exit(1);                                                                               \
    }                                                                                        \
  } while (0)

static int progress_calls;
static uint64_t last_read, last_total;
static void on_progress(void* user, uint64_t read, uint64_t total) {
  CHECK(user == &progress_calls);
  CHECK(read >= last_read && read <= total);
  last_read = read;
  last_total = total;
  ++progress_calls;
}

static void cancel_now(void* user, uint64_t read, uint64_t total) {
  (void)read;
  (void)total;
  CHECK(ptrun_cancel_request((ptrun_cancel*)user) == PTRUN_OK);
}

static unsigned char* read_all(const char* path, size_t* size) {
  FILE* file = fopen(path, "rb");
  unsigned char* bytes = (unsigned char*)malloc(1 << 22);
  CHECK(file != NULL && bytes != NULL);
  *size = fread(bytes, 1, 1 << 22, file);
  fclose(file);
  return bytes;
}

static int best_of(ptrun_result* result) {
  const ptrun_class* classes;
  size_t count;
  CHECK(ptrun_result_get_classes(result, &classes, &count) == PTRUN_OK);
  CHECK(count == 3 && classes[0].score >= classes[1].score && classes[0].label[0] != '\0');
  return classes[0].index;
}

static void check_load(const char* path, ptrun_model** model) {
  ptrun_load_options options;
  ptrun_model_info info;
  ptrun_cancel* cancel;
  const char* text;
  CHECK(ptrun_load_options_init(&options, sizeof options) == PTRUN_OK);
  options.progress = on_progress;
  options.progress_user = &progress_calls;
  CHECK(ptrun_load(path, &options, model) == PTRUN_OK);
  CHECK(progress_calls > 10 && progress_calls < 300 && last_read == last_total && last_total > 10000000);

  info.size = sizeof info;
  CHECK(ptrun_model_get_info(*model, &info) == PTRUN_OK);
  CHECK(strcmp(info.kind, "state_dict") == 0 && strcmp(info.architecture, "mobilenet_v2") == 0);
  CHECK(info.label_count == 1000 && info.input_height == 224 && info.parameters == 3504872);
  CHECK(ptrun_model_get_label(*model, 285, &text) == PTRUN_OK && strcmp(text, "Egyptian cat") == 0);

  CHECK(ptrun_cancel_create(&cancel) == PTRUN_OK);
  options.progress = cancel_now;
  options.progress_user = cancel;
  options.cancel = cancel;
  {
    ptrun_model* none = NULL;
    CHECK(ptrun_load(path, &options, &none) == PTRUN_CANCELLED && none == NULL);
    CHECK(ptrun_load("no such file.pt", NULL, &none) == PTRUN_NOT_FOUND && none == NULL);
    CHECK(strstr(ptrun_last_error(), "no such file.pt") != NULL);
  }
  CHECK(ptrun_cancel_free(cancel) == PTRUN_OK);
}

static void check_results(ptrun_predictor* predictor, const char* photo) {
  ptrun_result* result;
  ptrun_result* results[2];
  ptrun_result_info info;
  ptrun_input inputs[2];
  size_t size;
  unsigned char* bytes = read_all(photo, &size);
  unsigned char red[4 * 4 * 4];
  const ptrun_point* corners;
  size_t count;
  int i;

  CHECK(ptrun_predict_file(predictor, photo, &result) == PTRUN_OK);
  info.size = sizeof info;
  CHECK(ptrun_result_get_info(result, &info) == PTRUN_OK);
  CHECK(info.status == PTRUN_OK && info.width == 451 && info.height == 300 && strcmp(info.task, "classify") == 0);
  CHECK(info.decoded_at == 1); /* fast_decode finds nothing to gain: the photo is hardly larger than the input */
  CHECK(best_of(result) == 285);
  CHECK(ptrun_result_get_corners(result, &corners, &count) == PTRUN_OK && corners == NULL && count == 0);
  CHECK(ptrun_result_free(result) == PTRUN_OK);

  CHECK(ptrun_predict_bytes(predictor, bytes, size, &result) == PTRUN_OK && best_of(result) == 285);
  CHECK(ptrun_result_free(result) == PTRUN_OK);
  result = NULL;
  CHECK(ptrun_predict_bytes(predictor, bytes, 40, &result) == PTRUN_BAD_IMAGE && result == NULL);

  for (i = 0; i < 16; ++i) {
    red[4 * i] = 0; /* BGRA */
    red[4 * i + 1] = 0;
    red[4 * i + 2] = 255;
    red[4 * i + 3] = 7;
  }
  CHECK(ptrun_predict_pixels(predictor, red, 4, 4, 0, PTRUN_BGRA, &result) == PTRUN_OK && best_of(result) >= 0);
  CHECK(ptrun_result_free(result) == PTRUN_OK);

  for (i = 0; i < 2; ++i) CHECK(ptrun_input_init(&inputs[i], sizeof inputs[i]) == PTRUN_OK);
  inputs[0].path = "no such photo.jpg";
  inputs[1].path = photo;
  CHECK(ptrun_predict_batch(predictor, inputs, 2, results) == PTRUN_OK);
  CHECK(ptrun_result_get_info(results[0], &info) == PTRUN_OK && info.status == PTRUN_NOT_FOUND);
  CHECK(strcmp(info.stage, "read") == 0 && strstr(info.message, "no such photo.jpg") != NULL);
  CHECK(best_of(results[1]) == 285);
  for (i = 0; i < 2; ++i) CHECK(ptrun_result_free(results[i]) == PTRUN_OK);
  free(bytes);
}

static void on_result(void* user, ptrun_result* result) {
  ptrun_result_info info;
  info.size = sizeof info;
  CHECK(ptrun_result_get_info(result, &info) == PTRUN_OK);
  *(int*)user = info.status == PTRUN_OK ? best_of(result) : -info.status;
  CHECK(ptrun_result_free(result) == PTRUN_OK);
}

int main(int argc, char** argv) {
  ptrun_model* model;
  ptrun_predictor* predictor;
  ptrun_predict_options options;
  ptrun_predictor_info info;
  ptrun_input input;
  ptrun_cancel* cancel;
  ptrun_text* text;
  const char* json;
  int seen[2] = {0, 0};
  CHECK(argc == 3 && ptrun_c_api_version() == PTRUN_C_API_VERSION);

  check_load(argv[1], &model);
  CHECK(ptrun_predict_options_init(&options, sizeof options) == PTRUN_OK);
  options.topk = 3;
  options.workers = 1;
  options.fast_decode = 1;
  CHECK(ptrun_predictor_create(model, &options, &predictor) == PTRUN_OK);
  CHECK(ptrun_model_free(model) == PTRUN_OK); /* the predictor goes on */
  info.size = sizeof info;
  CHECK(ptrun_predictor_get_info(predictor, &info) == PTRUN_OK && info.workers == 1 && strcmp(info.plan, "plain") == 0);
  check_results(predictor, argv[2]);

  CHECK(ptrun_cancel_create(&cancel) == PTRUN_OK && ptrun_cancel_request(cancel) == PTRUN_OK);
  CHECK(ptrun_input_init(&input, sizeof input) == PTRUN_OK);
  input.path = argv[2];
  CHECK(ptrun_predict_async(predictor, &input, on_result, &seen[0], NULL) == PTRUN_OK);
  CHECK(ptrun_predict_async(predictor, &input, on_result, &seen[1], cancel) == PTRUN_OK);
  CHECK(ptrun_cancel_free(cancel) == PTRUN_OK); /* whoever was given it keeps it */
  {
    ptrun_result* last; /* one worker: what was queued before is answered */
    CHECK(ptrun_predict_file(predictor, argv[2], &last) == PTRUN_OK && ptrun_result_free(last) == PTRUN_OK);
  }
  CHECK(seen[0] == 285 && seen[1] == -PTRUN_CANCELLED);
  CHECK(ptrun_predictor_free(predictor) == PTRUN_OK);

  CHECK(ptrun_inspect(argv[1], 0, &text) == PTRUN_OK && ptrun_text_get(text, &json, NULL) == PTRUN_OK);
  CHECK(strstr(json, "\"state_dict\"") != NULL);
  CHECK(ptrun_text_free(text) == PTRUN_OK);
  CHECK(ptrun_devices(&text) == PTRUN_OK && ptrun_text_get(text, &json, NULL) == PTRUN_OK);
  CHECK(strncmp(json, "cpu\n", 4) == 0 && ptrun_text_free(text) == PTRUN_OK);
  return 0;
}
