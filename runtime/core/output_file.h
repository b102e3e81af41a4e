// A result file on disk: appended while the job runs, or complete at once.
#pragma once

#include <string>
#include <string_view>

namespace ptrun {

// One thread. Every method throws output_failed naming the file and the system's reason.
class OutputFile {
 public:
  // `atomic`: written under a temporary name in the same folder, which gets the final name in commit(); without
  // commit() nothing is left. Not atomic: the file has its name from the start and keeps what was written.
  // `replace`: an existing file is emptied or replaced; else it is an error. A name that is no regular file
  // (/dev/stdout, a FIFO) is written to directly.
  OutputFile(std::string path, bool atomic, bool replace);
  ~OutputFile();
  OutputFile(const OutputFile&) = delete;
  OutputFile& operator=(const OutputFile&) = delete;

  void write(std::string_view bytes);
  // Makes everything written durable: fsync, then the final name, then fsync of the folder. What is not `complete` is
  // kept as NAME.partial where it had a temporary name (replacing an older one), so that it never passes for the whole.
  void commit(bool complete = true);

 private:
  [[noreturn]] void fail(const std::string& what, int error) const;

  std::string path_;       // as the caller gave it, for messages
  std::string target_;     // with symbolic links resolved, so that a link keeps pointing to the results
  std::string temporary_;  // empty: written to target_ directly
  bool regular_ = true;
  bool replace_ = false;
  int descriptor_ = -1;
};

}  // namespace ptrun
