#include "cli/process.h"

#include <fcntl.h>
#include <spawn.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <stdexcept>
#include <system_error>

extern char** environ;

namespace ptrun::test {
namespace {

// Anonymous files take any amount without a reader, so nothing can block.
int anonymous_file(const std::string& bytes = {}) {
  const int file = ::memfd_create("ptrun_cli_test", MFD_CLOEXEC);
  if (file < 0) throw std::runtime_error("memfd_create failed");
  if (!bytes.empty() && ::write(file, bytes.data(), bytes.size()) != static_cast<ssize_t>(bytes.size())) {
    throw std::runtime_error("writing the input failed");
  }
  ::lseek(file, 0, SEEK_SET);
  return file;
}

std::string all_of(int file) {
  std::string text(static_cast<std::size_t>(::lseek(file, 0, SEEK_END)), '\0');
  const ssize_t got = ::pread(file, text.data(), text.size(), 0);
  text.resize(static_cast<std::size_t>(got < 0 ? 0 : got));
  return text;
}

int open_terminal(std::string& name) {
  const int master = ::posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
  if (master < 0 || ::grantpt(master) != 0 || ::unlockpt(master) != 0) throw std::runtime_error("no pseudo terminal");
  struct winsize size {};
  size.ws_row = 40;
  size.ws_col = 100;
  ::ioctl(master, TIOCSWINSZ, &size);
  name = ::ptsname(master);
  return master;
}

}  // namespace

Process::Process(const std::vector<std::string>& arguments, const ProcessOptions& options)
    : terminal_(options.terminal) {
  const int input = anonymous_file(options.input);
  posix_spawn_file_actions_t actions;
  ::posix_spawn_file_actions_init(&actions);
  ::posix_spawn_file_actions_adddup2(&actions, input, STDIN_FILENO);
  std::string name;
  if (terminal_) {
    out_ = open_terminal(name);
    ::posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, name.c_str(), O_RDWR | O_NOCTTY, 0);
    ::posix_spawn_file_actions_adddup2(&actions, STDOUT_FILENO, STDERR_FILENO);
  } else {
    out_ = anonymous_file();
    err_ = anonymous_file();
    if (options.output_file.empty()) {
      ::posix_spawn_file_actions_adddup2(&actions, out_, STDOUT_FILENO);
    } else {
      ::posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, options.output_file.c_str(), O_WRONLY, 0);
    }
    ::posix_spawn_file_actions_adddup2(&actions, err_, STDERR_FILENO);
  }
  if (!options.folder.empty()) ::posix_spawn_file_actions_addchdir_np(&actions, options.folder.c_str());

  std::vector<std::string> words = arguments;
  std::vector<char*> pointers;
  pointers.reserve(words.size() + 1);
  for (std::string& word : words) pointers.push_back(word.data());
  pointers.push_back(nullptr);
  const int error = ::posix_spawn(&pid_, words.front().c_str(), &actions, nullptr, pointers.data(), environ);
  ::posix_spawn_file_actions_destroy(&actions);
  ::close(input);
  if (error != 0) throw std::runtime_error(words.front() + ": " + std::generic_category().message(error));
}

Process::~Process() {
  if (pid_ > 0) {
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
  }
  if (out_ >= 0) ::close(out_);
  if (err_ >= 0) ::close(err_);
}

void Process::send(int signal) const { ::kill(pid_, signal); }

std::string Process::read_terminal() const {
  std::string text;
  std::array<char, 4096> block{};
  for (;;) {
    const ssize_t count = ::read(out_, block.data(), block.size());
    if (count < 0 && errno == EINTR) continue;
    // EIO: the last program on the other side has ended.
    if (count <= 0) return text;
    text.append(block.data(), static_cast<std::size_t>(count));
  }
}

Finished Process::wait() {
  Finished finished;
  if (terminal_) finished.out = read_terminal();
  int status = 0;
  while (::waitpid(pid_, &status, 0) < 0 && errno == EINTR) {
  }
  pid_ = -1;
  if (WIFEXITED(status)) finished.code = WEXITSTATUS(status);
  if (WIFSIGNALED(status)) finished.signal = WTERMSIG(status);
  if (!terminal_) {
    finished.out = all_of(out_);
    finished.err = all_of(err_);
  }
  return finished;
}

Finished run_process(const std::vector<std::string>& arguments, const ProcessOptions& options) {
  return Process(arguments, options).wait();
}

}  // namespace ptrun::test
