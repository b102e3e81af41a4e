#include "capi/handles.h"

#include <array>
#include <mutex>
#include <unordered_map>

#include "capi/status.h"

namespace ptrun::capi {
namespace {

static_assert(sizeof(void*) == sizeof(std::uint64_t), "handles are 64-bit numbers that are never used twice");

// No address of a program on x86-64 or AArch64 looks like this: whoever follows a handle crashes at once.
constexpr std::uint64_t kFirst = 0x7074'0000'0000'0000ULL;

struct Table {
  std::mutex mutex;
  std::uint64_t next = kFirst;
  std::unordered_map<std::uint64_t, std::shared_ptr<Handle>> objects;
};

// Never destroyed: a host may free handles in its own static destructors.
Table& table() {
  static Table& all = *new Table;
  return all;
}

std::uint64_t number(const void* handle) { return reinterpret_cast<std::uintptr_t>(handle); }

const char* name_of(HandleKind kind) {
  constexpr std::array kNames = {"model", "predictor", "result", "text", "cancel"};
  return kNames[static_cast<std::size_t>(kind)];
}

[[noreturn]] void refuse_handle(std::uint64_t found, const Handle* object, HandleKind kind, std::uint64_t next) {
  const std::string expected = std::string(", expected a ptrun_") + name_of(kind);
  const std::string subject = std::string(name_of(kind)) + " handle";
  if (found == 0) refuse(subject, "is NULL" + expected);
  if (object != nullptr) refuse(subject, std::string("is a ptrun_") + name_of(object->kind) + expected);
  if (found >= kFirst && found < next) refuse(subject, "was freed" + expected + " that is still there");
  refuse(subject, "is no handle that ptrun gave" + expected);
}

}  // namespace

void* add_handle(std::shared_ptr<Handle> object) {
  Table& all = table();
  const std::lock_guard lock(all.mutex);
  const std::uint64_t handle = all.next++;
  all.objects.emplace(handle, std::move(object));
  return reinterpret_cast<void*>(static_cast<std::uintptr_t>(handle));
}

std::shared_ptr<Handle> find_handle(const void* handle, HandleKind kind) {
  Table& all = table();
  const std::lock_guard lock(all.mutex);
  const auto place = all.objects.find(number(handle));
  const Handle* object = place == all.objects.end() ? nullptr : place->second.get();
  if (object == nullptr || object->kind != kind) refuse_handle(number(handle), object, kind, all.next);
  return place->second;
}

std::shared_ptr<Handle> take_handle(const void* handle, HandleKind kind) {
  std::shared_ptr<Handle> object = find_handle(handle, kind);
  Table& all = table();
  const std::lock_guard lock(all.mutex);
  // Two threads may free one handle; the second is told.
  if (all.objects.erase(number(handle)) == 0) refuse_handle(number(handle), nullptr, kind, all.next);
  return object;
}

}  // namespace ptrun::capi
