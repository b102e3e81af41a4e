/* The C interface of libptrun, for C and for languages that call C. Compiles as C99 and as C++.
 *
 * Handles are numbers in a table behind pointers: one that was freed, is NULL or of another kind is answered with
 * PTRUN_INVALID_ARGUMENT, never followed. Any thread may call any function with any handle; a handle that is freed
 * while another thread uses it lives until that call is done. Every function returns a status; 0 is success, and then
 * only its out parameters are written. After another status ptrun_last_error() says what was found, what was expected
 * and what to do. No exception leaves a function, nothing is printed, and nothing of the host is changed. Text is UTF-8
 * and foreign: escape labels and messages before you display them. Paths are bytes as the system has them.
 *
 * Structs that begin with `size` may grow: set it with the struct's _init function, or to sizeof. A library that is
 * newer fills what an older caller lacks with its defaults; one that is older accepts a longer struct when what it does
 * not know is zero. Structs without `size` never change. A later version adds functions, it takes none away. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "ptrun/export.h"

#ifdef __cplusplus
extern "C" {
#endif

/* The version of this interface. Grows with every addition. */
#define PTRUN_C_API_VERSION 2

/* PTRUN_OK, or what went wrong. */
typedef int32_t ptrun_status;
enum {
  PTRUN_OK = 0,
  PTRUN_INVALID_ARGUMENT = 1,   /* a handle, option or value that cannot be used */
  PTRUN_NOT_FOUND = 2,          /* a path that does not exist or cannot be opened */
  PTRUN_BAD_MODEL = 3,          /* a model file that is damaged */
  PTRUN_UNSUPPORTED = 4,        /* a sound file or request that this build cannot run */
  PTRUN_BAD_IMAGE = 5,          /* image bytes that cannot be decoded */
  PTRUN_LIMIT_EXCEEDED = 6,     /* a size over a named limit, or no memory */
  PTRUN_MODEL_FAILED = 7,       /* the model failed, or returned what its task cannot read */
  PTRUN_DEVICE_UNAVAILABLE = 8, /* the device asked for is not there */
  PTRUN_OUTPUT_FAILED = 9,
  PTRUN_CANCELLED = 10,
  PTRUN_INTERNAL = 11 /* a defect of ptrun itself */
};

/* "bad_model"; "unknown" for a number that is no status. Never NULL, valid for ever. */
PTRUN_API const char* ptrun_status_name(ptrun_status status);
/* What the last call of the calling thread that failed had to say; empty before the first. Never NULL, valid until the
 * next call of this thread that fails. */
PTRUN_API const char* ptrun_last_error(void);
/* "0.1.0". Valid for ever. */
PTRUN_API const char* ptrun_version(void);
/* PTRUN_C_API_VERSION of the library, which may be newer than that of the header. */
PTRUN_API uint32_t ptrun_c_api_version(void);

typedef struct ptrun_model ptrun_model;         /* a loaded model */
typedef struct ptrun_predictor ptrun_predictor; /* runs a model, owns threads */
typedef struct ptrun_result ptrun_result;       /* what came out for one image */
typedef struct ptrun_text ptrun_text;           /* text that a call made */
typedef struct ptrun_cancel ptrun_cancel;       /* calls off the work it was given to */

enum { PTRUN_LOG_DEBUG = 0, PTRUN_LOG_INFO = 1, PTRUN_LOG_WARNING = 2, PTRUN_LOG_ERROR = 3 };
/* Called from any thread, one call at a time. `message` is valid during the call. */
typedef void (*ptrun_log_callback)(void* user, int32_t level, const char* message);

/* Calling off: give one to a load or to images, request it from any thread, free it whenever you like. */
PTRUN_API ptrun_status ptrun_cancel_create(ptrun_cancel** out);
/* Calls off whatever was given it, now and later. */
PTRUN_API ptrun_status ptrun_cancel_request(ptrun_cancel* cancel);
/* The work that was given it keeps it. */
PTRUN_API ptrun_status ptrun_cancel_free(ptrun_cancel* cancel);

/* ---- models ------------------------------------------------------------------------------------------------------ */

/* Bytes of the model file that were read, and its size. One call at a time. */
typedef void (*ptrun_progress_callback)(void* user, uint64_t bytes_read, uint64_t bytes_total);

/* How a model file is read. */
typedef struct ptrun_load_options {
  size_t size;
  const char* architecture; /* a network's name ("resnet50"); NULL: recognised */
  const char* task;         /* "classify", "detect", ...; NULL: from the model */
  const char* labels_file;  /* one label a line, or JSON; NULL: from the model */
  const char* preset_name;  /* published weights whose preprocessing to take; NULL: from the model */
  /* Fields of the preprocessing as name, value, name, value ("input_size", "256", "crop_pct", "0.95"); the count is
   * that of the strings, an even number. */
  const char* const* preset_fields;
  size_t preset_field_count;
  const char* const* labels; /* class names by class index, before labels_file */
  size_t label_count;
  uint64_t constant_memory_limit; /* bytes of weights in memory */
  int32_t trust;                  /* not 0: TorchScript without the operator allow-list; only for files you wrote */
  int32_t trust_native_code;      /* not 0: opens AOTInductor packages, whose code runs as it is */
  ptrun_log_callback log;
  void* log_user;
  ptrun_progress_callback progress;
  void* progress_user;
  ptrun_cancel* cancel; /* makes the load end with PTRUN_CANCELLED; NULL: never */
} ptrun_load_options;
/* Fills `options` with the defaults; `size` is sizeof(ptrun_load_options) as the caller knows it. */
PTRUN_API ptrun_status ptrun_load_options_init(ptrun_load_options* options, size_t size);

/* Reads a model file and makes it ready to run; blocks. `options` NULL: the defaults. */
PTRUN_API ptrun_status ptrun_load(const char* path, const ptrun_load_options* options, ptrun_model** out);
/* Predictors that were made of it go on. */
PTRUN_API ptrun_status ptrun_model_free(ptrun_model* model);

/* What a model is. */
typedef struct ptrun_model_info {
  size_t size;
  const char* kind;         /* "state_dict", "torchscript", ... */
  const char* architecture; /* "mobilenet_v2"; empty when the file carries its own graph */
  const char* task;         /* "classify" */
  const char* labels_source;
  int64_t parameters;
  size_t label_count;
  size_t note_count;    /* what was chosen or assumed for the user */
  int32_t input_height; /* pixels, after preprocessing */
  int32_t input_width;
} ptrun_model_info;
/* Set info->size before. Text is valid until the model is freed. */
PTRUN_API ptrun_status ptrun_model_get_info(ptrun_model* model, ptrun_model_info* info);
/* The name of class `index`, valid until the model is freed. */
PTRUN_API ptrun_status ptrun_model_get_label(ptrun_model* model, size_t index, const char** out);
/* Note `index` of note_count, valid until the model is freed. */
PTRUN_API ptrun_status ptrun_model_get_note(ptrun_model* model, size_t index, const char** out);

/* What a model file is, as JSON of schema 1 (`ptrun inspect --json`); runs nothing from it. `verify` not 0: reads every
 * record and checks its CRC. */
PTRUN_API ptrun_status ptrun_inspect(const char* path, int32_t verify, ptrun_text** out);
/* The devices that can be used, one a line, the CPU first. */
PTRUN_API ptrun_status ptrun_devices(ptrun_text** out);
/* `data` ends with a NUL that `length` (NULL: not wanted) does not count; valid until the text is freed. */
PTRUN_API ptrun_status ptrun_text_get(ptrun_text* text, const char** data, size_t* length);
/* Its data is gone then. */
PTRUN_API ptrun_status ptrun_text_free(ptrun_text* text);

/* ---- predictors -------------------------------------------------------------------------------------------------- */

enum { PTRUN_FP32 = 0, PTRUN_PRECISION_AUTO = 1, PTRUN_BF16 = 2, PTRUN_FP16 = 3, PTRUN_INT8 = 4 };
enum { PTRUN_ACTIVATION_AUTO = 0, PTRUN_SOFTMAX = 1, PTRUN_SIGMOID = 2, PTRUN_NO_ACTIVATION = 3 };

/* How a predictor runs its model. */
typedef struct ptrun_predict_options {
  size_t size;
  const char* device;         /* "auto", "cpu", "cuda:0"; NULL: "auto" */
  int32_t precision;          /* PTRUN_FP32 */
  int32_t batch_size;         /* images of a model call; 0: chosen */
  int32_t workers;            /* threads that decode and run; 0: from the CPUs this process may use */
  int32_t threads_per_worker; /* 0: chosen with workers */
  uint64_t expected_images;   /* a hint: 0 unknown, 1 gives the lowest latency */
  int32_t topk;               /* classes a result lists: 5 */
  int32_t activation;         /* PTRUN_ACTIVATION_AUTO */
  float confidence;           /* detections below are dropped: 0.25 */
  float iou;                  /* NMS threshold: 0.7 */
  int32_t max_detections;     /* 300 */
  uint64_t max_image_pixels;  /* a larger image is refused from its header: 100 million */
  uint64_t max_image_bytes;   /* of an encoded file: 1 GiB */
  ptrun_log_callback log;
  void* log_user;
  int32_t fast_decode; /* not 0: large JPEGs are decoded at a fraction of their size; faster, other pixels. Version 2 */
} ptrun_predict_options;
/* Fills `options` with the defaults. */
PTRUN_API ptrun_status ptrun_predict_options_init(ptrun_predict_options* options, size_t size);

/* `options` NULL: the defaults. */
PTRUN_API ptrun_status ptrun_predictor_create(ptrun_model* model, const ptrun_predict_options* options,
                                              ptrun_predictor** out);
/* Waits for calls of other threads and for the images in progress, answers those in the queue as cancelled, ends the
 * threads. Refused in a callback of this predictor. */
PTRUN_API ptrun_status ptrun_predictor_free(ptrun_predictor* predictor);

/* What a predictor chose. */
typedef struct ptrun_predictor_info {
  size_t size;
  const char* plan; /* how the model is run: "plain", "cpu_onednn", ... */
  int32_t batch_size;
  int32_t workers;
  int32_t threads_per_worker;
} ptrun_predictor_info;
/* Set info->size before. Waits until the plan is decided. */
PTRUN_API ptrun_status ptrun_predictor_get_info(ptrun_predictor* predictor, ptrun_predictor_info* info);

enum { PTRUN_RGB = 0, PTRUN_BGR = 1, PTRUN_RGBA = 2, PTRUN_BGRA = 3, PTRUN_GRAY = 4 };

/* One image: a path, or encoded bytes, or pixels. */
typedef struct ptrun_input {
  size_t size;
  const char* path;  /* a file to read */
  const void* bytes; /* an encoded image in memory; copied by the call */
  size_t byte_count;
  const uint8_t* pixels; /* uint8, row by row; not copied: valid until the result is there */
  int32_t width;
  int32_t height;
  size_t stride;    /* bytes from row to row; 0: rows follow without a gap */
  int32_t format;   /* PTRUN_RGB, ...; alpha is ignored */
  const char* name; /* for messages where there is no path; may be NULL */
} ptrun_input;
/* Fills `input` with zeros. */
PTRUN_API ptrun_status ptrun_input_init(ptrun_input* input, size_t size);

/* Blocks until the answer is there. An image that cannot be predicted is a status other than 0, and no result. Refused
 * in a callback of this predictor, for which it would wait for ever. */
PTRUN_API ptrun_status ptrun_predict(ptrun_predictor* predictor, const ptrun_input* input, ptrun_result** out);
/* The same for a file. */
PTRUN_API ptrun_status ptrun_predict_file(ptrun_predictor* predictor, const char* path, ptrun_result** out);
/* The same for an encoded image in memory. */
PTRUN_API ptrun_status ptrun_predict_bytes(ptrun_predictor* predictor, const void* bytes, size_t byte_count,
                                           ptrun_result** out);
/* The same for pixels; rows follow without a gap where `stride` is 0. */
PTRUN_API ptrun_status ptrun_predict_pixels(ptrun_predictor* predictor, const uint8_t* pixels, int32_t width,
                                            int32_t height, size_t stride, int32_t format, ptrun_result** out);
/* `count` structs of inputs[0].size bytes each; writes as many results, in order, to `out`. An image that cannot be
 * predicted has a result too, whose status says so. */
PTRUN_API ptrun_status ptrun_predict_batch(ptrun_predictor* predictor, const ptrun_input* inputs, size_t count,
                                           ptrun_result** out);

/* Called exactly once for every image that was accepted, from a thread of the predictor or one that cancels or frees
 * it. `result` is the callee's to free, its status says what happened; it is NULL where there was no memory for it.
 * Must return soon, and must not throw. */
typedef void (*ptrun_result_callback)(void* user, ptrun_result* result);
/* Queues the image and returns; blocks while the queue is full, in a callback perhaps for ever. `cancel` NULL: cannot
 * be called off alone. */
PTRUN_API ptrun_status ptrun_predict_async(ptrun_predictor* predictor, const ptrun_input* input,
                                           ptrun_result_callback callback, void* user, ptrun_cancel* cancel);
/* Images in the queue that no thread has begun are answered with PTRUN_CANCELLED. */
PTRUN_API ptrun_status ptrun_predictor_cancel(ptrun_predictor* predictor);

/* ---- results ----------------------------------------------------------------------------------------------------- */

/* One class of a classification. */
typedef struct ptrun_class {
  int32_t index;
  float score;       /* a probability, or a logit where the result says so */
  const char* label; /* empty: the model has no labels */
} ptrun_class;

/* One point of a body, a face, ... */
typedef struct ptrun_keypoint {
  float x; /* pixels of the upright original */
  float y;
  float score;
} ptrun_keypoint;

/* A place in the image. */
typedef struct ptrun_point {
  float x; /* pixels of the upright original; may lie outside it */
  float y;
} ptrun_point;

/* One object in the image. */
typedef struct ptrun_detection {
  int32_t index;
  float score;
  const char* label;
  float x1; /* pixels of the upright original */
  float y1;
  float x2;
  float y2;
  const char* mask; /* COCO run-length counts of a mask [mask_height, mask_width]; NULL: none */
  int32_t mask_width;
  int32_t mask_height;
  const ptrun_keypoint* keypoints;
  size_t keypoint_count;
} ptrun_detection;

/* How much of the image one class covers. */
typedef struct ptrun_segment {
  int32_t index;
  const char* label;
  int64_t area; /* pixels */
} ptrun_segment;

/* A raw output. */
typedef struct ptrun_tensor {
  const char* name;
  const char* dtype; /* PyTorch's name, "float32" */
  const int64_t* shape;
  size_t rank;
  const void* data; /* row-major */
  size_t byte_count;
} ptrun_tensor;

/* What is known about a result beside its arrays. */
typedef struct ptrun_result_info {
  size_t size;
  ptrun_status status; /* PTRUN_OK, or why there is nothing else in the result */
  int32_t logits;      /* not 0: scores are logits */
  const char* message; /* when status is not PTRUN_OK; else empty */
  const char* stage;   /* where it failed: "read", "decode", "preprocess", "model"; else empty */
  const char* task;
  const char* mode; /* Pillow's mode of the file, "RGB" */
  int32_t width;    /* pixels of the upright original */
  int32_t height;
  int32_t exif_orientation;
  int32_t image_width; /* of `image` */
  int32_t image_height;
  const uint8_t* image;       /* restore: RGB [image_height, image_width, 3]; else NULL */
  const uint8_t* segment_map; /* segment: class of each pixel [height, width]; else NULL */
  const float* embedding;     /* embed; else NULL */
  size_t embedding_count;
  int32_t decoded_at; /* 2, 4 or 8: fast_decode read a JPEG at 1 / that of its width and height; 1: whole. Version 2 */
} ptrun_result_info;
/* Set info->size before. Pointers are valid until the result is freed, also those of the arrays below. */
PTRUN_API ptrun_status ptrun_result_get_info(ptrun_result* result, ptrun_result_info* info);
/* classify, best first. Empty arrays are NULL with a count of 0. */
PTRUN_API ptrun_status ptrun_result_get_classes(ptrun_result* result, const ptrun_class** items, size_t* count);
/* detect, segment, keypoints: best first. */
PTRUN_API ptrun_status ptrun_result_get_detections(ptrun_result* result, const ptrun_detection** items, size_t* count);
/* Of rotated boxes the corners, in turn: four for each detection, in the order of the detections, whose x1 to y2
 * enclose them. Empty where boxes are not rotated. Since version 2. */
PTRUN_API ptrun_status ptrun_result_get_corners(ptrun_result* result, const ptrun_point** items, size_t* count);
/* segment: the classes of the pixels, the largest area first. */
PTRUN_API ptrun_status ptrun_result_get_segments(ptrun_result* result, const ptrun_segment** items, size_t* count);
/* tensors: raw outputs. */
PTRUN_API ptrun_status ptrun_result_get_tensors(ptrun_result* result, const ptrun_tensor** items, size_t* count);
/* All that it pointed to is gone then. */
PTRUN_API ptrun_status ptrun_result_free(ptrun_result* result);

#ifdef __cplusplus
}
#endif
