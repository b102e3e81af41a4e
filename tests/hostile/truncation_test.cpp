// Every shorter length of small sound files: always refused, never a result.
#include <filesystem>
#include <fstream>

#include "hostile/refuse.h"
#include "support/pt_bytes.h"

namespace ptrun::test {
namespace {

std::string file_bytes(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

void expect_truncations_refused(const std::string& name, const std::string& bytes) {
  SCOPED_TRACE(name);
  ASSERT_NO_THROW(load(bytes));
  Cost worst;
  for (std::size_t length = 1; length < bytes.size(); ++length) {
    std::string thrown = "nothing";
    const std::string cut = bytes.substr(0, length);
    const Cost cost = measure([&] {
      try {
        load(cut);
      } catch (const Error&) {
        thrown.clear();
      } catch (const std::exception& error) {
        thrown = error.what();
      }
    });
    ASSERT_EQ(thrown, "") << "at length " << length;
    worst.seconds = std::max(worst.seconds, cost.seconds);
    worst.heap_bytes = std::max(worst.heap_bytes, cost.heap_bytes);
  }
  EXPECT_LT(worst.seconds, time_limit());
  EXPECT_LT(worst.heap_bytes, kMemoryLimit);
}

TEST(Truncation, OfFilesBuiltHere) {
  expect_truncations_refused("zip", good_zip());
  expect_truncations_refused("legacy", good_legacy());
  expect_truncations_refused("safetensors", good_safetensors());
}

TEST(Truncation, OfFilesThatPyTorchWrote) {
  const std::filesystem::path root = std::filesystem::path(PTRUN_TEST_DATA) / "archives";
  for (const char* name :
       {"1.4.0/ordered.pt", "1.4.0-python2/ordered.pt", "1.6.0/ordered.pt", "2.15.0/ordered.pt", "2.15.0/protocol4.pt",
        "2.15.0/legacy.pt", "2.15.0/deflated.pt", "2.15.0/no_crc.pt", "2.15.0/dtypes.safetensors"}) {
    expect_truncations_refused(name, file_bytes(root / name));
  }
}

}  // namespace
}  // namespace ptrun::test
