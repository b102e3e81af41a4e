// Loading bytes as far as the archive room goes, and saying how it has to end.
#pragma once

#include <gtest/gtest.h>

#include <string>

#include "archive/kind.h"
#include "archive/weight_table.h"
#include "ptrun/error.h"
#include "support/resource_guard.h"

namespace ptrun::test {

inline constexpr std::size_t kMemoryLimit = 64U << 20U;
// The contract is 1 s; a sanitizer on a busy machine is several times slower.
inline double time_limit() { return resident_size_means_something() ? 1.0 : 10.0; }

// Everything a loader asks of this room: kind, directory, pickle, every storage, the weights.
inline void load(const std::string& bytes) {
  const auto source = archive::from_memory("model.pt", bytes);
  const archive::Kind kind = archive::detect(*source);
  archive::require_readable(*source, kind);
  const auto file = archive::TensorFile::open(source, kind);
  for (std::size_t i = 0; i < file->storages().size(); ++i) {
    std::string storage(file->storages()[i].bytes, '\0');
    file->read_storage(i, storage.data());
  }
  archive::find_weights(*file);
}

// The file has to be refused as `code`, in words that contain `cause`, quickly and without much memory.
inline void expect_refused(const std::string& bytes, ErrorCode code, const std::string& cause) {
  SCOPED_TRACE("expected: " + cause);
  std::string what;
  std::string thrown = "nothing";
  const Cost cost = measure([&] {
    try {
      load(bytes);
    } catch (const Error& error) {
      thrown = to_string(error.code());
      what = error.what();
    } catch (const std::exception& error) {
      thrown = "another exception";
      what = error.what();
    }
  });
  EXPECT_EQ(thrown, to_string(code)) << what;
  EXPECT_NE(what.find(cause), std::string::npos) << what;
  EXPECT_EQ(what.rfind("model.pt: ", 0), 0U) << what;
  EXPECT_LT(what.size(), 1000U);
  EXPECT_LT(cost.seconds, time_limit());
  EXPECT_LT(cost.heap_bytes, kMemoryLimit + bytes.size());
  if (resident_size_means_something()) {
    EXPECT_LT(cost.resident_bytes, kMemoryLimit + bytes.size());
  }
}

}  // namespace ptrun::test
