// libFuzzer's entry, and for every other build a main that runs the target over the files and folders it is given.
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <fstream>

#include "fuzz/target.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  try {
    ptrun::test::fuzz(std::string(reinterpret_cast<const char*>(data), size));
  } catch (const ptrun::Error&) {
    return 0;
  }
  return 0;
}

#ifndef PTRUN_FUZZ
namespace {

bool run(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  const std::string bytes{std::istreambuf_iterator<char>(file), {}};
  std::printf("%s\n", path.c_str());
  std::fflush(stdout);  // so that the last line names the file that ended the program
  LLVMFuzzerTestOneInput(reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size());
  return static_cast<bool>(file) || file.eof();
}

}  // namespace

int main(int argc, char** argv) {
  int count = 0;
  for (int i = 1; i < argc; ++i) {
    if (!std::filesystem::is_directory(argv[i])) {
      count += run(argv[i]) ? 1 : 0;
      continue;
    }
    for (const auto& entry : std::filesystem::recursive_directory_iterator(argv[i])) {
      if (entry.is_regular_file()) count += run(entry.path()) ? 1 : 0;
    }
  }
  std::printf("%d files\n", count);
  return count > 0 ? 0 : 1;
}
#endif
