#include "arguments.h"

// Its hand-written matcher starts faster than std::regex and takes the same words.
#define CXXOPTS_NO_REGEX
#include <algorithm>
#include <charconv>
#include <cxxopts.hpp>
#include <utility>

#include "ptrun/text.h"

namespace ptrun::tool {
namespace {

struct Names {
  std::string letter;  // may be empty
  std::vector<std::string> longs;
};

Names names_of(const Option& option) {
  Names names;
  std::size_t at = 0;
  while (at <= option.names.size()) {
    const std::size_t comma = std::min(option.names.find(',', at), option.names.size());
    const std::string name = option.names.substr(at, comma - at);
    if (name.size() == 1) {
      names.letter = name;
    } else {
      names.longs.push_back(name);
    }
    at = comma + 1;
  }
  return names;
}

// A value as it was given. cxxopts' own vectors split at commas, which are part of a path or of a list.
class LiteralValues final : public cxxopts::Value {
 public:
  explicit LiteralValues(std::vector<std::string>& store) : store_(&store) {}
  std::shared_ptr<Value> clone() const override { return std::make_shared<LiteralValues>(*this); }
  void parse(const std::string& text) const override { store_->push_back(text); }
  // Overrides cxxopts 3.2 and later (Debian 13); 3.0 has no such function, so the keyword cannot stand here.
  void add(const std::string& text) const { store_->push_back(text); }  // NOLINT(modernize-use-override)
  void parse() const override {}
  bool has_default() const override { return false; }
  bool is_container() const override { return true; }
  bool has_implicit() const override { return false; }
  std::string get_default_value() const override { return {}; }
  std::string get_implicit_value() const override { return {}; }
  std::shared_ptr<Value> default_value(const std::string& /*value*/) override { return shared_from_this(); }
  std::shared_ptr<Value> implicit_value(const std::string& /*value*/) override { return shared_from_this(); }
  std::shared_ptr<Value> no_implicit_value() override { return shared_from_this(); }
  bool is_boolean() const override { return false; }

 private:
  std::vector<std::string>* store_;
};

bool looks_like_number(const std::string& word) {
  double value = 0;
  const char* begin = word.data() + (!word.empty() && word.front() == '+' ? 1 : 0);
  const char* end = word.data() + word.size();
  return begin != end && std::from_chars(begin, end, value).ptr == end;
}

// Checks the words against the options and brings them into the form that cxxopts takes: "-oX" becomes "-o" "X".
class WordReader {
 public:
  explicit WordReader(const std::vector<OptionGroup>& groups) {
    for (const OptionGroup& group : groups) {
      for (const Option& option : group.options) {
        const Names names = names_of(option);
        for (const std::string& name : names.longs) {
          by_name_[name] = &option;
          long_names_.push_back("--" + name);
        }
        if (!names.letter.empty()) by_name_[names.letter] = &option;
      }
    }
  }

  std::vector<std::string> read(const std::vector<std::string>& words) {
    for (at_ = 0; at_ < words.size(); ++at_) {
      const std::string& word = words[at_];
      if (word == "--") {
        // What follows is for cxxopts to take as it is.
        out_.insert(out_.end(), words.begin() + static_cast<std::ptrdiff_t>(at_), words.end());
        break;
      }
      if (word.rfind("--", 0) == 0) {
        read_long(words);
      } else if (word.size() > 1 && word.front() == '-') {
        read_letters(words);
      } else {
        if (list_before_ != nullptr && looks_like_number(word)) complain_about_list(word);
        list_before_ = nullptr;
        out_.push_back(word);
      }
    }
    return std::move(out_);
  }

 private:
  void read_long(const std::vector<std::string>& words) {
    const std::string& word = words[at_];
    const std::size_t equals = word.find('=');
    const std::string name = word.substr(2, equals == std::string::npos ? equals : equals - 2);
    const auto found = name.size() < 2 ? by_name_.end() : by_name_.find(name);
    if (found == by_name_.end()) complain_about_unknown("--" + name);
    const Option& option = *found->second;
    if (option.value.empty() && equals != std::string::npos) {
      throw UsageError("--" + name + ": " + printable(word.substr(equals + 1)) +
                       " was given, the option is a switch and takes no value");
    }
    if (equals != std::string::npos && equals + 1 == word.size()) complain_about_value("--" + name, option);
    if (!option.value.empty() && equals == std::string::npos) {
      take_value("--" + name, option, words);
    } else {
      out_.push_back(word);
    }
    list_before_ = option.list_value ? &option : nullptr;
  }

  void read_letters(const std::vector<std::string>& words) {
    const std::string& word = words[at_];
    // "-output FILE" would be -o with the value "utput".
    if (word.size() > 2 && by_name_.count(word.substr(1)) != 0) {
      throw UsageError(word + ": no such option; did you mean -" + word + "?");
    }
    for (std::size_t i = 1; i < word.size(); ++i) {
      const std::string letter(1, word[i]);
      const auto found = by_name_.find(letter);
      if (found == by_name_.end()) {
        complain_about_unknown(word.size() > 2 ? "-" + word : "-" + letter);
      }
      const Option& option = *found->second;
      list_before_ = nullptr;
      if (option.value.empty()) {
        out_.push_back("-" + letter);
        continue;
      }
      if (i + 1 < word.size()) {
        out_.push_back("-" + letter);
        out_.push_back(word.substr(i + 1));
      } else {
        take_value("-" + letter, option, words);
      }
      return;
    }
  }

  void take_value(const std::string& name, const Option& option, const std::vector<std::string>& words) {
    if (at_ + 1 >= words.size()) complain_about_value(name, option);
    out_.push_back(name);
    out_.push_back(words[++at_]);
  }

  [[noreturn]] static void complain_about_value(const std::string& name, const Option& option) {
    throw UsageError(name + ": no value was given, expected " + option.value);
  }

  [[noreturn]] void complain_about_unknown(const std::string& name) const {
    std::string nearest = nearest_match(name, long_names_);
    for (const std::string& known : long_names_) {
      // The beginning of a long name is no slip of a third of its letters, but it is meant.
      if (nearest.empty() && name.size() > 4 && known.rfind(name, 0) == 0) nearest = known;
    }
    throw UsageError(printable(name) + ": no such option" +
                     (nearest.empty() ? "; see --help" : "; did you mean " + nearest + "?"));
  }

  [[noreturn]] void complain_about_list(const std::string& word) const {
    const std::string name = "--" + names_of(*list_before_).longs.front();
    throw UsageError(printable(word) + ": a number was found after " + name +
                     ", expected an image, folder or option; lists are one word: " + name + " " + list_before_->value +
                     "; a file of this name is ./" + printable(word));
  }

  std::map<std::string, const Option*> by_name_;
  std::vector<std::string> long_names_;
  std::vector<std::string> out_;
  std::size_t at_ = 0;
  const Option* list_before_ = nullptr;  // the word before was its value
};

void add_options(cxxopts::Options& options, const std::vector<OptionGroup>& groups,
                 std::map<std::string, std::vector<std::string>>* store) {
  static std::vector<std::string> unused;
  for (const OptionGroup& group : groups) {
    auto add = options.add_options(group.title);
    for (const Option& option : group.options) {
      const std::string key = names_of(option).longs.front();
      if (option.value.empty()) {
        add(option.names, option.help);
      } else {
        auto& target = store != nullptr ? (*store)[key] : unused;
        add(option.names, option.help, std::make_shared<LiteralValues>(target), option.value);
      }
    }
  }
}

}  // namespace

std::optional<std::string> Arguments::text(const std::string& long_name) const {
  const auto found = values_.find(long_name);
  if (found == values_.end()) return std::nullopt;
  return found->second.back();
}

std::vector<std::string> Arguments::all(const std::string& long_name) const {
  const auto found = values_.find(long_name);
  return found == values_.end() ? std::vector<std::string>() : found->second;
}

std::optional<long long> Arguments::integer(const std::string& long_name, long long first, long long last) const {
  const std::optional<std::string> given = text(long_name);
  if (!given) return std::nullopt;
  long long value = 0;
  const char* end = given->data() + given->size();
  const auto result = std::from_chars(given->data(), end, value);
  if (result.ec != std::errc() || result.ptr != end || value < first || value > last) {
    throw UsageError("--" + long_name + ": " + printable(*given) + " was given, expected a whole number from " +
                     std::to_string(first) + " to " + std::to_string(last));
  }
  return value;
}

std::optional<double> Arguments::number(const std::string& long_name, double first, double last) const {
  const std::optional<std::string> given = text(long_name);
  if (!given) return std::nullopt;
  double value = 0;
  const char* end = given->data() + given->size();
  const auto result = std::from_chars(given->data(), end, value);
  if (result.ec != std::errc() || result.ptr != end || !(value >= first && value <= last)) {
    const auto shown = [](double limit) { return std::to_string(static_cast<long long>(limit)); };
    throw UsageError("--" + long_name + ": " + printable(*given) + " was given, expected a number from " +
                     shown(first) + " to " + shown(last));
  }
  return value;
}

Arguments parse_arguments(const std::vector<OptionGroup>& groups, const std::vector<std::string>& arguments) {
  std::vector<std::string> words = WordReader(groups).read(arguments);
  words.insert(words.begin(), "ptrun");
  std::vector<const char*> pointers;
  pointers.reserve(words.size());
  for (const std::string& word : words) pointers.push_back(word.c_str());

  Arguments result;
  cxxopts::Options options("ptrun");
  add_options(options, groups, &result.values_);
  options.add_options("")("words", "", std::make_shared<LiteralValues>(result.words_));
  options.parse_positional("words");
  try {
    const cxxopts::ParseResult parsed = options.parse(static_cast<int>(pointers.size()), pointers.data());
    for (const OptionGroup& group : groups) {
      for (const Option& option : group.options) {
        const std::string name = names_of(option).longs.front();
        if (option.value.empty() && parsed.count(name) != 0) result.values_[name] = {""};
        if (!option.value.empty() && parsed.count(name) == 0) result.values_.erase(name);
      }
    }
  } catch (const cxxopts::exceptions::exception& error) {
    throw UsageError(error.what());
  }
  return result;
}

std::string options_help(const std::vector<OptionGroup>& groups) {
  cxxopts::Options options("ptrun");
  options.set_width(100);
  add_options(options, groups, nullptr);
  std::vector<std::string> titles;
  titles.reserve(groups.size());
  for (const OptionGroup& group : groups) titles.push_back(group.title);
  // The part before the first group repeats the program's name, which the command has said already.
  const std::string text = options.help(titles);
  const std::size_t first = groups.empty() ? std::string::npos : text.find("\n " + groups.front().title + " options:");
  return first == std::string::npos ? text : text.substr(first + 1);
}

}  // namespace ptrun::tool
