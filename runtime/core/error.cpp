#include "ptrun/error.h"

namespace ptrun {

const char* to_string(ErrorCode code) noexcept {
  switch (code) {
    case ErrorCode::invalid_argument: return "invalid_argument";
    case ErrorCode::not_found: return "not_found";
    case ErrorCode::bad_model: return "bad_model";
    case ErrorCode::unsupported: return "unsupported";
    case ErrorCode::bad_image: return "bad_image";
    case ErrorCode::limit_exceeded: return "limit_exceeded";
    case ErrorCode::model_failed: return "model_failed";
    case ErrorCode::device_unavailable: return "device_unavailable";
    case ErrorCode::output_failed: return "output_failed";
    case ErrorCode::cancelled: return "cancelled";
    case ErrorCode::internal: return "internal";
  }
  return "unknown";
}

Error::Error(ErrorCode code, const std::string& subject, const std::string& problem)
    : std::runtime_error(subject.empty() ? problem : subject + ": " + problem),
      code_(code),
      subject_(subject),
      problem_(problem) {}

// Defined here so that the type information has one home and the exception can be caught across libraries.
Error::~Error() = default;

}  // namespace ptrun
