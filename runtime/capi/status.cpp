#include "capi/status.h"

namespace ptrun::capi {
namespace {

std::string& last_error() {
  thread_local std::string message;
  return message;
}

// Of c_api.h; to_string(ErrorCode) has the same names in the same order.
static_assert(static_cast<int>(ErrorCode::internal) + 1 == PTRUN_INTERNAL);
static_assert(static_cast<int>(ErrorCode::bad_image) + 1 == PTRUN_BAD_IMAGE);

}  // namespace

ptrun_status status_of(ErrorCode code) noexcept { return static_cast<ptrun_status>(code) + 1; }

ptrun_status fail(ptrun_status status, const char* message) noexcept {
  try {
    last_error() = message;
  } catch (...) {
    last_error().clear();
  }
  return status;
}

void refuse(const std::string& subject, const std::string& problem) {
  throw Error(ErrorCode::invalid_argument, subject, problem);
}

}  // namespace ptrun::capi

using namespace ptrun::capi;

const char* ptrun_status_name(ptrun_status status) {
  if (status == PTRUN_OK) return "ok";
  if (status < PTRUN_OK || status > PTRUN_INTERNAL) return "unknown";
  return ptrun::to_string(static_cast<ptrun::ErrorCode>(status - 1));
}

const char* ptrun_last_error(void) { return last_error().c_str(); }
const char* ptrun_version(void) { return PTRUN_VERSION; }
uint32_t ptrun_c_api_version(void) { return PTRUN_C_API_VERSION; }
