// The one exception type of the library, and its closed set of codes.
// Start here, then model.h, predictor.h, job.h.
#pragma once

#include <stdexcept>
#include <string>

#include "ptrun/export.h"

namespace ptrun {

// What went wrong, in the words a caller acts on. A new code is an API change.
enum class ErrorCode {
  invalid_argument,    // an option or value that the caller gave cannot be used
  not_found,           // a path that does not exist or cannot be opened
  bad_model,           // a model file that is damaged, truncated or malformed
  unsupported,         // a sound file or request that this build cannot run
  bad_image,           // image bytes that cannot be decoded
  limit_exceeded,      // a size over a named limit
  model_failed,        // the model threw, or returned what its task cannot read
  device_unavailable,  // the device asked for is not there
  output_failed,       // a result that cannot be written
  cancelled,           // the caller stopped the work
  internal,            // a defect of ptrun itself
};

// Lower-case name of `code`, for example "bad_model". Never fails; valid for ever.
PTRUN_API const char* to_string(ErrorCode code) noexcept;

// what() reads "subject: what was found, what was expected; what to do", for example
// "cat.pt: record data/3 holds 12 bytes, expected 4096; the file is truncated, download it again".
class PTRUN_API Error : public std::runtime_error {
 public:
  Error(ErrorCode code, const std::string& subject, const std::string& problem);  // what() becomes "subject: problem".
  ~Error() override;

  ErrorCode code() const noexcept { return code_; }  // For programs.
  // The file, option or operator that the error is about; what() begins with it.
  const std::string& subject() const noexcept { return subject_; }
  // what() without the subject, to be put under another one.
  const std::string& problem() const noexcept { return problem_; }

 private:
  ErrorCode code_;
  std::string subject_;
  std::string problem_;
};

}  // namespace ptrun
