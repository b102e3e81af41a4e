#include "archive/byte_source.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "support/expect_error.h"

namespace ptrun::archive {
namespace {

using test::expect_error;

class ByteSourceTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = (std::filesystem::temp_directory_path() / "ptrun_byte_source_XXXXXX").string();
    ASSERT_NE(mkdtemp(pattern.data()), nullptr);
    folder_ = pattern;
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  std::string path(const std::string& name) const { return (folder_ / name).string(); }
  std::string write(const std::string& name, const std::string& bytes) const {
    std::ofstream(path(name), std::ios::binary) << bytes;
    return path(name);
  }

  std::filesystem::path folder_;
};

TEST_F(ByteSourceTest, ReadsRangesOfAFile) {
  const auto source = open_file(write("a", "0123456789"));
  EXPECT_EQ(source->size(), 10U);
  EXPECT_EQ(source->read_string(3, 4), "3456");
  EXPECT_EQ(source->read_string(10, 0), "");
}

TEST_F(ByteSourceTest, ReadsRangesOfMemory) {
  const auto source = from_memory("bytes", "0123456789");
  EXPECT_EQ(source->name(), "bytes");
  EXPECT_EQ(source->read_string(8, 2), "89");
}

TEST_F(ByteSourceTest, RefusesRangesOutside) {
  for (const auto& source : {open_file(write("a", "0123")), from_memory("bytes", "0123")}) {
    expect_error(ErrorCode::bad_model, "outside the file of 4 bytes", [&] { source->read_string(2, 3); });
    expect_error(ErrorCode::bad_model, "outside the file", [&] { source->read_string(5, 0); });
    expect_error(ErrorCode::bad_model, "outside the file", [&] { source->read_string(~0ULL, 2); });
  }
}

TEST_F(ByteSourceTest, NoticesAFileThatShrinks) {
  const std::string file = write("a", "0123456789");
  const auto source = open_file(file);
  std::filesystem::resize_file(file, 4);
  expect_error(ErrorCode::bad_model, "became shorter while it was read", [&] { source->read_string(2, 6); });
}

TEST_F(ByteSourceTest, NamesWhatIsNotAFile) {
  ASSERT_EQ(mkfifo(path("fifo").c_str(), 0600), 0);
  expect_error(ErrorCode::unsupported, "is a directory", [&] { open_file(folder_.string()); });
  expect_error(ErrorCode::unsupported, "is a FIFO", [&] { open_file(path("fifo")); });
  expect_error(ErrorCode::unsupported, "is a character device", [&] { open_file("/dev/null"); });
  const int socket_descriptor = socket(AF_UNIX, SOCK_STREAM, 0);
  sockaddr_un address = {};
  address.sun_family = AF_UNIX;
  ASSERT_LT(path("socket").size(), sizeof(address.sun_path));
  path("socket").copy(address.sun_path, sizeof(address.sun_path) - 1);
  ASSERT_EQ(bind(socket_descriptor, reinterpret_cast<sockaddr*>(&address), sizeof(address)), 0);
  expect_error(ErrorCode::unsupported, "is a socket", [&] { open_file(path("socket")); });
  close(socket_descriptor);
}

TEST_F(ByteSourceTest, SaysWhyAFileCannotBeOpened) {
  expect_error(ErrorCode::not_found, "does not exist", [&] { open_file(path("missing")); });
  expect_error(ErrorCode::not_found, "does not exist", [&] { open_file(write("a", "x") + "/b"); });
  expect_error(ErrorCode::not_found, "NUL byte", [&] { open_file(std::string("a\0b", 3)); });
  expect_error(ErrorCode::not_found, "cannot be opened: File name too long",
               [&] { open_file(path(std::string(5000, 'x'))); });
  expect_error(ErrorCode::bad_model, "is empty (0 bytes)", [&] { open_file(write("empty", "")); });
  expect_error(ErrorCode::bad_model, "is empty (0 bytes)", [&] { from_memory("empty", ""); });
}

TEST_F(ByteSourceTest, SaysThatPermissionIsMissing) {
  const std::string file = write("secret", "x");
  std::filesystem::permissions(file, std::filesystem::perms::none);
  if (access(file.c_str(), R_OK) == 0) {
    // Root may read everything; a child without that right tells what others see.
    const pid_t child = fork();
    ASSERT_GE(child, 0);
    if (child == 0) {
      std::filesystem::permissions(folder_, std::filesystem::perms::all);
      bool right = false;
      if (setgid(65534) == 0 && setuid(65534) == 0) {
        try {
          open_file(file);
        } catch (const Error& error) {
          right = error.code() == ErrorCode::not_found &&
                  std::string(error.what()).find("cannot be read: Permission denied") != std::string::npos;
        }
      }
      _exit(right ? 0 : 1);
    }
    int status = 0;
    ASSERT_EQ(waitpid(child, &status, 0), child);
    EXPECT_EQ(status, 0);
    return;
  }
  expect_error(ErrorCode::not_found, "cannot be read: Permission denied", [&] { open_file(file); });
}

}  // namespace
}  // namespace ptrun::archive
