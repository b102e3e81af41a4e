// Runs the real program with real files and pipes.
#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

namespace ptrun::test {

struct Finished {
  int code = -1;   // exit code, -1 when a signal ended it
  int signal = 0;  // that signal
  std::string out;
  std::string err;
};

struct ProcessOptions {
  std::string input;        // bytes of standard input
  std::string folder;       // working folder; empty: that of the test
  std::string output_file;  // where standard output goes; empty: captured
  // Standard output and error are one terminal of 100 columns; Finished::out has what it got.
  bool terminal = false;
};

// A started program. Not thread-safe.
class Process {
 public:
  // `arguments`: the program first. Throws std::runtime_error when it cannot be started.
  Process(const std::vector<std::string>& arguments, const ProcessOptions& options);
  ~Process();
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;

  void send(int signal) const;
  Finished wait();

 private:
  std::string read_terminal() const;

  pid_t pid_ = -1;
  int out_ = -1;  // captured output, or the terminal's master side
  int err_ = -1;
  bool terminal_ = false;
};

Finished run_process(const std::vector<std::string>& arguments, const ProcessOptions& options = {});

}  // namespace ptrun::test
