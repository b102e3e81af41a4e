#include "front.h"

#include <algorithm>
#include <exception>

#include "ptrun/preset.h"
#include "ptrun/text.h"

namespace ptrun::tool {
namespace {

std::string general_help() {
  std::string text = "ptrun runs trained image models saved as PyTorch .pt files.\n\nUsage: ptrun COMMAND ...\n\n";
  for (const Command& command : commands()) {
    const std::string name = command.name;
    text += "  " + name + std::string(10 - name.size(), ' ') + command.summary + '\n';
  }
  return text + "\nptrun COMMAND --help shows a command's options. ptrun --version shows the version.\n";
}

std::string command_help(const Command& command) {
  std::string text = std::string("Usage: ptrun ") + command.name + " " + command.usage + "\n\n" + command.summary +
                     "\n\n" + options_help(command.options());
  if (*command.notes != '\0') text += std::string("\n") + command.notes;
  return text;
}

// A question for help is answered before anything else on the line is judged.
bool asks_for_help(const std::vector<std::string>& words) {
  for (const std::string& word : words) {
    if (word == "--") return false;
    if (word == "--help" || word == "-h") return true;
  }
  return false;
}

Console::Options console_options(const Arguments& arguments) {
  Console::Options options;
  options.quiet = arguments.has("quiet");
  options.verbose = arguments.has("verbose");
  if (options.quiet && options.verbose) throw UsageError("--quiet and --verbose were given, expected one of them");
  const std::string format = arguments.text("log-format").value_or("text");
  if (format != "text" && format != "json") {
    throw UsageError("--log-format: " + printable(format) + " was given, expected text or json");
  }
  options.json = format == "json";
  return options;
}

}  // namespace

std::string message_of(const Error& error) {
  const auto& fields = preset_field_names();
  std::string option = error.subject();
  if (option == "architecture") option = "arch";
  if (option == "output format") option = "format";
  const bool other = option == "arch" || option == "format" || option == "task" || option == "preset";
  if (!other && std::find(fields.begin(), fields.end(), option) == fields.end()) return error.what();
  std::replace(option.begin(), option.end(), '_', '-');
  return "--" + option + ": " + error.problem();
}

std::optional<Request> read_command(std::vector<std::string> words, Console& console) {
  if (words.empty()) throw UsageError("no command was given; ptrun --help lists them");
  const std::string name = words.front();
  words.erase(words.begin());
  if (name == "--help" || name == "-h" || name == "help") {
    console.write_result(words.empty() ? general_help() : command_help(command_named(words.front())));
    return std::nullopt;
  }
  if (name == "--version") {
    console.write_result("ptrun " PTRUN_VERSION "\n");
    return std::nullopt;
  }
  const Command& command = command_named(name);
  if (asks_for_help(words)) {
    console.write_result(command_help(command));
    return std::nullopt;
  }
  Request request{&command, parse_arguments(command.options(), words)};
  console.configure(console_options(request.arguments));
  if (command.check != nullptr) command.check(request.arguments);
  return request;
}

int guarded(Console& console, const std::function<int()>& work) {
  try {
    return work();
  } catch (const UsageError& error) {
    console.log(LogLevel::error, error.what());
    return kUsage;
  } catch (const Exit& exit) {
    console.log(LogLevel::error, exit.what());
    return exit.code();
  } catch (const ClosedPipe&) {
    return kClosedPipe;
  } catch (const Error& error) {
    console.log(LogLevel::error, message_of(error));
    return exit_code(error.code(), kModelFailed);
  } catch (const std::exception& error) {
    console.log(LogLevel::error, std::string("internal error: ") + error.what() + "; please report it");
    return kModelFailed;
  }
}

}  // namespace ptrun::tool
