// JSON records of a .pt2 archive: bounded, and read field by field with errors that say where.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "archive/fail.h"
#include "archive/limits.h"

namespace ptrun::archive::exported {

// Parses `text`. Depth and number of values are compared with their limits while it is read. Infinity and NaN
// without quotes, as PyTorch before 2.8 writes them, are read as texts, as later versions write them. Fields of node
// metadata that hold source lines of the training code are dropped.
nlohmann::json parse_json(std::string text, const std::string& subject, const std::string& part, const Limits& limits);

// Reads values of the schema's types; what does not fit is bad_model with the place.
class JsonReader {
 public:
  using Json = nlohmann::json;
  JsonReader(const std::string& subject, const std::string& part) : subject_(subject), part_(part) {}

  // Where the reader is, for messages: set_place("graph.nodes", 12, "torch.ops.aten.relu.default").
  void set_place(const char* section, std::size_t index, const std::string& detail = {});

  const Json& member(const Json& object, const char* key) const;  // must be there
  const Json* find(const Json& object, const char* key) const;    // null when absent or JSON's null
  const Json& list(const Json& object, const char* key) const;    // must be an array
  const Json& map(const Json& object, const char* key) const;     // must be an object
  std::string text(const Json& object, const char* key) const;
  std::int64_t integer(const Json& value, const char* what) const;
  double real(const Json& value, const char* what) const;
  bool boolean(const Json& value, const char* what) const;
  std::vector<std::int64_t> integers(const Json& value, const char* what) const;
  std::vector<double> reals(const Json& value, const char* what) const;
  // The one member of a union object that is not null: {"as_int": 3}.
  std::pair<std::string, const Json*> only_member(const Json& object, const char* what) const;

  template <typename... Parts>
  [[noreturn]] void bad(const Parts&... parts) const {
    fail_bad(subject_, part_, ": ", place(), parts..., "; the file is damaged, save the program again");
  }
  template <typename... Parts>
  [[noreturn]] void unsupported(const Parts&... parts) const {
    fail(ErrorCode::unsupported, subject_, part_, ": ", place(), parts...);
  }
  const std::string& subject() const noexcept { return subject_; }
  const std::string& part() const noexcept { return part_; }

 private:
  std::string place() const;

  const std::string& subject_;
  const std::string& part_;
  const char* section_ = nullptr;
  std::size_t index_ = 0;
  std::string detail_;
};

}  // namespace ptrun::archive::exported
