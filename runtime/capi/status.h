// Exceptions -> a status and the calling thread's message. Every function of the C interface runs inside guarded().
#pragma once

#include <exception>
#include <new>
#include <string>

#include "ptrun/c_api.h"
#include "ptrun/error.h"

namespace ptrun::capi {

ptrun_status status_of(ErrorCode code) noexcept;
// Makes `message` what ptrun_last_error() says to this thread. Returns `status`.
ptrun_status fail(ptrun_status status, const char* message) noexcept;

template <typename Work>
ptrun_status guarded(Work&& work) noexcept {
  try {
    work();
    return PTRUN_OK;
  } catch (const Error& error) {
    return fail(status_of(error.code()), error.what());
  } catch (const std::bad_alloc&) {
    return fail(PTRUN_LIMIT_EXCEEDED, "memory: there was not enough; close other programs or use fewer workers");
  } catch (const std::exception& error) {
    return fail(PTRUN_INTERNAL, error.what());
  } catch (...) {
    return fail(PTRUN_INTERNAL, "ptrun: an exception of no known type");
  }
}

[[noreturn]] void refuse(const std::string& subject, const std::string& problem);

// Throws invalid_argument when a pointer that has to be given is NULL.
inline void require(const void* pointer, const char* name) {
  if (pointer == nullptr) refuse(name, "is NULL, expected a pointer");
}

}  // namespace ptrun::capi
