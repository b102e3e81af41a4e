// Words of the command line -> options and values. cxxopts reads them; here is what it lacks: commas that stay in
// their word, values attached to short options, the nearest match for a typing slip, hints.
#pragma once

#include <map>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

namespace ptrun::tool {

struct Option {
  std::string names;        // "o,output": the letter first, then the long name, then its aliases
  std::string value;        // what help calls the value, "FILE"; empty: a switch
  std::string help;         // without a full stop
  bool list_value = false;  // a list of numbers in one word: 0.485,0.456,0.406
};

struct OptionGroup {
  std::string title;
  std::vector<Option> options;
};

// Wrong usage, with what to do.
class UsageError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

class Arguments {
 public:
  // `long_name` is the first long name of an option.
  bool has(const std::string& long_name) const { return values_.count(long_name) != 0; }
  // The value given last.
  std::optional<std::string> text(const std::string& long_name) const;
  std::vector<std::string> all(const std::string& long_name) const;
  // A whole number, first <= number <= last; throws UsageError.
  std::optional<long long> integer(const std::string& long_name, long long first, long long last) const;
  std::optional<double> number(const std::string& long_name, double first, double last) const;
  const std::vector<std::string>& words() const noexcept { return words_; }

 private:
  friend Arguments parse_arguments(const std::vector<OptionGroup>&, const std::vector<std::string>&);
  std::map<std::string, std::vector<std::string>> values_;  // a switch has one empty value
  std::vector<std::string> words_;                          // what is no option, in order
};

// Throws UsageError.
Arguments parse_arguments(const std::vector<OptionGroup>& groups, const std::vector<std::string>& arguments);

// The options as text for --help.
std::string options_help(const std::vector<OptionGroup>& groups);

}  // namespace ptrun::tool
