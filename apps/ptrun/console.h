// Standard output for results, standard error for everything else.
#pragma once

#include <cstddef>
#include <mutex>
#include <string>
#include <string_view>

#include "ptrun/log.h"

namespace ptrun::tool {

// Standard output was closed by its reader (head): no error worth a message.
struct ClosedPipe {};

// Any thread may call any method.
class Console {
 public:
  struct Options {
    bool quiet = false;    // errors only
    bool verbose = false;  // debug messages too
    bool json = false;     // one JSON object a line on standard error
  };
  void configure(const Options& options) { options_ = options; }
  const Options& options() const noexcept { return options_; }

  void log(LogLevel level, const std::string& message);
  LogCallback log_callback();
  // A line of standard error that is no message, as text or, with --log-format json, as the object `json`.
  void event(const std::string& text, const std::string& json);
  // Whole lines on standard output. Throws Error(output_failed), or ClosedPipe.
  void write_result(std::string_view bytes);

  // A line at the bottom of the terminal that is written over; empty: none. Ignored where standard error is no
  // terminal, with --quiet and with JSON.
  void set_status(const std::string& line);
  bool shows_status() const;

  static bool output_is_terminal();
  // Columns of the terminal on standard output; 0: none or unknown.
  static std::size_t output_columns();

 private:
  void write_error_line(const std::string& line);
  void clear_status();

  Options options_;
  std::mutex mutex_;
  std::string status_;
};

// `text` as a JSON string with its quotes. Control characters are escaped; invalid UTF-8 was replaced before.
std::string json_text(std::string_view text);

}  // namespace ptrun::tool
