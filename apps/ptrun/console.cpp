#include "console.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <system_error>

#include "ptrun/error.h"
#include "ptrun/text.h"

namespace ptrun::tool {
namespace {

constexpr std::string_view kClearLine = "\r\x1b[K";

const char* level_name(LogLevel level) {
  switch (level) {
    case LogLevel::debug: return "debug";
    case LogLevel::info: return "info";
    case LogLevel::warning: return "warning";
    case LogLevel::error: return "error";
  }
  return "error";
}

// Returns false with errno when not everything could be written.
bool write_all(int descriptor, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t count = ::write(descriptor, bytes.data(), bytes.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return false;
    bytes.remove_prefix(static_cast<std::size_t>(count));
  }
  return true;
}

// Messages hold names and text of files; their own line breaks (lines of Python to copy) stay.
std::string printable_lines(std::string_view message) {
  std::string text;
  while (true) {
    const std::size_t end = message.find('\n');
    text += printable(message.substr(0, end), 20000);
    if (end == std::string_view::npos) return text;
    text += '\n';
    message.remove_prefix(end + 1);
  }
}

}  // namespace

std::string json_text(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (static_cast<unsigned char>(c) < 0x20) {
      std::array<char, 8> escape{};
      std::snprintf(escape.data(), escape.size(), "\\u%04x", static_cast<unsigned>(c));
      out += escape.data();
    } else {
      out += c;
    }
  }
  return out + '"';
}

void Console::log(LogLevel level, const std::string& message) {
  if (options_.quiet && level != LogLevel::error) return;
  if (!options_.verbose && (level == LogLevel::debug || level == LogLevel::info)) return;
  const std::string text = printable_lines(message);
  const std::string name = level_name(level);
  const std::lock_guard lock(mutex_);
  write_error_line(options_.json ? "{\"level\":\"" + name + "\",\"message\":" + json_text(text) + "}"
                                 : "ptrun: " + (level == LogLevel::info ? "" : name + ": ") + text);
}

LogCallback Console::log_callback() {
  return [this](LogLevel level, const std::string& message) { log(level, message); };
}

void Console::event(const std::string& text, const std::string& json) {
  if (options_.quiet) return;
  const std::lock_guard lock(mutex_);
  write_error_line(options_.json ? json : text);
}

void Console::write_result(std::string_view bytes) {
  const std::lock_guard lock(mutex_);
  clear_status();
  if (write_all(STDOUT_FILENO, bytes)) return;
  if (errno == EPIPE) throw ClosedPipe();
  throw Error(ErrorCode::output_failed, "standard output", "writing failed: " + std::generic_category().message(errno));
}

void Console::set_status(const std::string& line) {
  if (!shows_status()) return;
  const std::lock_guard lock(mutex_);
  if (line == status_) return;
  write_all(STDERR_FILENO, std::string(kClearLine) + line);
  status_ = line;
}

bool Console::shows_status() const { return !options_.quiet && !options_.json && ::isatty(STDERR_FILENO) == 1; }

void Console::clear_status() {
  if (status_.empty()) return;
  write_all(STDERR_FILENO, kClearLine);
  status_.clear();
}

// Nothing can be said about a standard error that does not take it.
void Console::write_error_line(const std::string& line) {
  clear_status();
  write_all(STDERR_FILENO, line + '\n');
}

bool Console::output_is_terminal() { return ::isatty(STDOUT_FILENO) == 1; }

std::size_t Console::output_columns() {
  struct winsize size {};
  if (::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0) return 0;
  return size.ws_col;
}

}  // namespace ptrun::tool
