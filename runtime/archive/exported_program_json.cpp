#include "archive/exported_program_json.h"

#include <cmath>
#include <limits>

namespace ptrun::archive::exported {
namespace {

using Json = nlohmann::json;

// A few bytes of JSON become many of memory: counted while they are read.
class Bounds {
 public:
  Bounds(const std::string& subject, const std::string& part, const Limits& limits)
      : subject_(subject), part_(part), limits_(limits) {}

  void count(int depth, Json::parse_event_t event) {
    using Event = Json::parse_event_t;
    if (event == Event::key || event == Event::object_end || event == Event::array_end) return;
    if (++values_ > limits_.json_values) {
      fail_limit(subject_, part_, ": holds more than ", limits_.json_values, " values, the limit");
    }
    if (event != Event::value && static_cast<std::size_t>(depth) >= limits_.json_depth) {
      fail_limit(subject_, part_, ": lists and objects stand ", depth + 1, " deep in each other, the limit is ",
                 limits_.json_depth);
    }
  }

 private:
  const std::string& subject_;
  const std::string& part_;
  const Limits& limits_;
  std::size_t values_ = 0;
};

// -Infinity -> "-Infinity" and so on, outside of texts.
std::string with_quoted_numbers(std::string text) {
  if (text.find("Infinity") == std::string::npos && text.find("NaN") == std::string::npos) return text;
  std::string result;
  result.reserve(text.size() + 64);
  bool inside = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (inside) {
      result += c;
      if (c == '\\' && i + 1 < text.size()) {
        result += text[++i];
      } else if (c == '"') {
        inside = false;
      }
      continue;
    }
    inside = c == '"';
    bool replaced = false;
    for (const std::string_view word : {"-Infinity", "Infinity", "NaN"}) {
      if (text.compare(i, word.size(), word) != 0) continue;
      result.append("\"").append(word).append("\"");
      i += word.size() - 1;
      replaced = true;
      break;
    }
    if (!replaced) result += c;
  }
  return result;
}

bool is_source_text(std::string_view key) {
  return key == "stack_trace" || key == "nn_module_stack" || key == "source_fn_stack" || key == "from_node";
}

const char* type_of(const Json& value) { return value.type_name(); }

}  // namespace

Json parse_json(std::string text, const std::string& subject, const std::string& part, const Limits& limits) {
  const std::string sound = with_quoted_numbers(std::move(text));
  Bounds bounds(subject, part, limits);
  try {
    return Json::parse(sound, [&](int depth, Json::parse_event_t event, const Json& parsed) {
      bounds.count(depth, event);
      return event != Json::parse_event_t::key || !is_source_text(parsed.get_ref<const std::string&>());
    });
  } catch (const Json::parse_error& error) {
    fail_bad(subject, part, ": is not JSON at its byte ", error.byte, "; the file is damaged, download it again");
  } catch (const Json::exception& error) {
    // A number that no double holds.
    fail_bad(subject, part, ": ", printable(error.what(), 200), "; the file is damaged, download it again");
  }
}

void JsonReader::set_place(const char* section, std::size_t index, const std::string& detail) {
  section_ = section;
  index_ = index;
  detail_ = detail;
}

std::string JsonReader::place() const {
  if (section_ == nullptr) return {};
  return text_of(section_, '[', index_, ']', detail_.empty() ? "" : " (" + printable(detail_, 80) + ")", ": ");
}

const Json& JsonReader::member(const Json& object, const char* key) const {
  if (!object.is_object()) bad("holds ", type_of(object), ", expected an object with ", key);
  const auto found = object.find(key);
  if (found == object.end()) bad("'", key, "' is missing");
  return *found;
}

const Json* JsonReader::find(const Json& object, const char* key) const {
  if (!object.is_object()) bad("holds ", type_of(object), ", expected an object");
  const auto found = object.find(key);
  return found == object.end() || found->is_null() ? nullptr : &*found;
}

const Json& JsonReader::list(const Json& object, const char* key) const {
  const Json& value = member(object, key);
  if (!value.is_array()) bad("'", key, "' is ", type_of(value), ", expected a list");
  return value;
}

const Json& JsonReader::map(const Json& object, const char* key) const {
  const Json& value = member(object, key);
  if (!value.is_object()) bad("'", key, "' is ", type_of(value), ", expected an object");
  return value;
}

std::string JsonReader::text(const Json& object, const char* key) const {
  const Json& value = member(object, key);
  if (!value.is_string()) bad("'", key, "' is ", type_of(value), ", expected a text");
  return value.get<std::string>();
}

std::int64_t JsonReader::integer(const Json& value, const char* what) const {
  const bool fits = value.is_number_unsigned() ? value.get<std::uint64_t>() <= static_cast<std::uint64_t>(INT64_MAX)
                                               : value.is_number_integer();
  if (!fits) bad(what, " is ", type_of(value), " or too large, expected an integer");
  return value.get<std::int64_t>();
}

double JsonReader::real(const Json& value, const char* what) const {
  if (value.is_number()) return value.get<double>();
  if (value == "Infinity") return std::numeric_limits<double>::infinity();
  if (value == "-Infinity") return -std::numeric_limits<double>::infinity();
  if (value == "NaN") return std::numeric_limits<double>::quiet_NaN();
  bad(what, " is ", type_of(value), ", expected a number");
}

bool JsonReader::boolean(const Json& value, const char* what) const {
  if (!value.is_boolean()) bad(what, " is ", type_of(value), ", expected true or false");
  return value.get<bool>();
}

std::vector<std::int64_t> JsonReader::integers(const Json& value, const char* what) const {
  if (!value.is_array()) bad(what, " is ", type_of(value), ", expected a list of integers");
  std::vector<std::int64_t> result;
  result.reserve(value.size());
  for (const Json& item : value) result.push_back(integer(item, what));
  return result;
}

std::vector<double> JsonReader::reals(const Json& value, const char* what) const {
  if (!value.is_array()) bad(what, " is ", type_of(value), ", expected a list of numbers");
  std::vector<double> result;
  result.reserve(value.size());
  for (const Json& item : value) result.push_back(real(item, what));
  return result;
}

std::pair<std::string, const Json*> JsonReader::only_member(const Json& object, const char* what) const {
  if (!object.is_object()) bad(what, " is ", type_of(object), ", expected an object");
  const Json* found = nullptr;
  std::string key;
  for (const auto& [name, value] : object.items()) {
    if (value.is_null()) continue;  // old versions write every member of a union
    if (found != nullptr) bad(what, " has two members, ", in_quotes(key), " and ", in_quotes(name), ", expected one");
    found = &value;
    key = name;
  }
  if (found == nullptr) bad(what, " is empty, expected one member");
  return {key, found};
}

}  // namespace ptrun::archive::exported
