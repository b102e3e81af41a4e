// The table behind the handles of the C interface: numbers that are never used twice, so that a freed, foreign or
// mixed-up handle is an error and never a wild pointer.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

namespace ptrun::capi {

enum class HandleKind : std::uint8_t { model, predictor, result, text, cancel };

// Base of what a handle stands for; `kKind` of the derived class says what it is.
struct Handle {
  explicit Handle(HandleKind handle_kind) : kind(handle_kind) {}
  virtual ~Handle() = default;
  Handle(const Handle&) = delete;
  Handle& operator=(const Handle&) = delete;
  const HandleKind kind;
};

// Any thread may call these.
void* add_handle(std::shared_ptr<Handle> object);
// Throws invalid_argument saying what `handle` is instead.
std::shared_ptr<Handle> find_handle(const void* handle, HandleKind kind);
// The same, and takes it out of the table.
std::shared_ptr<Handle> take_handle(const void* handle, HandleKind kind);

template <typename Object>
std::shared_ptr<Object> find(const void* handle) {
  return std::static_pointer_cast<Object>(find_handle(handle, Object::kKind));
}
template <typename Object>
std::shared_ptr<Object> take(const void* handle) {
  return std::static_pointer_cast<Object>(take_handle(handle, Object::kKind));
}

// Text that a call made.
struct TextHandle : Handle {
  static constexpr HandleKind kKind = HandleKind::text;
  explicit TextHandle(std::string made) : Handle(kKind), text(std::move(made)) {}
  const std::string text;
};

}  // namespace ptrun::capi
