// Any bytes: which kind they are, and what people are told about it.
#include "archive/inspect_archive.h"
#include "fuzz/target.h"

namespace ptrun::test {

void fuzz(std::string bytes) {
  const auto source = archive::from_memory("fuzz", std::move(bytes));
  const archive::Kind kind = archive::detect(*source);
  archive::details(*source, kind);
  archive::inspect_archive(source, true);
}

}  // namespace ptrun::test
