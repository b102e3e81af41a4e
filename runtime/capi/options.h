// Sized structs of the C interface: copied in and out whatever version the caller was compiled with.
#pragma once

#include <cstddef>
#include <cstring>
#include <string>

#include "capi/status.h"
#include "ptrun/cancellation.h"
#include "ptrun/model.h"
#include "ptrun/predictor.h"

namespace ptrun::capi {

// The size of the struct in its first version, which stays: what is added later comes at the end.
constexpr std::size_t first_size(const ptrun_load_options& /*of*/) { return 128; }
constexpr std::size_t first_size(const ptrun_model_info& /*of*/) { return 72; }
constexpr std::size_t first_size(const ptrun_predict_options& /*of*/) { return 96; }
constexpr std::size_t first_size(const ptrun_predictor_info& /*of*/) { return 32; }
constexpr std::size_t first_size(const ptrun_input& /*of*/) { return 72; }
constexpr std::size_t first_size(const ptrun_result_info& /*of*/) { return 104; }

// Falls when a field is added: then the new size stands here, while first_size() stays.
static_assert(sizeof(ptrun_load_options) == first_size(ptrun_load_options{}));
static_assert(sizeof(ptrun_model_info) == first_size(ptrun_model_info{}));
static_assert(sizeof(ptrun_predict_options) == 104);
static_assert(sizeof(ptrun_predictor_info) == first_size(ptrun_predictor_info{}));
static_assert(sizeof(ptrun_input) == first_size(ptrun_input{}));
static_assert(sizeof(ptrun_result_info) == 112);

// Throws invalid_argument for a size that no version of `name` has.
void check_size(const char* name, std::size_t size, std::size_t first);
// Throws invalid_argument when a field that this library does not know is used.
void check_rest(const char* name, const void* given, std::size_t known, std::size_t size);

// What `given` says, and `defaults` where an older caller's struct ends.
template <typename Struct>
Struct read_sized(const char* name, const Struct& given, const Struct& defaults) {
  check_size(name, given.size, first_size(given));
  check_rest(name, &given, sizeof(Struct), given.size);
  Struct result = defaults;
  std::memcpy(&result, &given, given.size < sizeof(Struct) ? given.size : sizeof(Struct));
  result.size = sizeof(Struct);
  return result;
}

// Fills a caller's struct of `size` bytes as far as both know it; the rest becomes zero.
template <typename Struct>
void write_sized(const char* name, Struct* to, std::size_t size, Struct value) {
  require(to, name);
  check_size(name, size, first_size(value));
  value.size = size;
  std::memset(static_cast<void*>(to), 0, size);
  std::memcpy(static_cast<void*>(to), &value, size < sizeof(Struct) ? size : sizeof(Struct));
}

// The defaults, which are those of the C++ structs.
ptrun_load_options default_load_options();
ptrun_predict_options default_predict_options();

// NULL: the defaults. Throws Error for what cannot be meant.
LoadOptions load_options(const ptrun_load_options* given);
PredictOptions predict_options(const ptrun_predict_options* given);
// Throws Error where not exactly one of path, bytes and pixels is given.
Input input(const ptrun_input& given);

// A new one for NULL.
Cancellation cancellation(const ptrun_cancel* cancel);

}  // namespace ptrun::capi
