// A zip directory and every record behind it.
#include "archive/zip.h"
#include "fuzz/target.h"

namespace ptrun::test {

void fuzz(std::string bytes) {
  const auto zip = archive::ZipArchive::open(archive::from_memory("fuzz", std::move(bytes)));
  for (const archive::ZipEntry& entry : zip->entries()) {
    zip->short_name(entry);
    try {
      zip->read(entry, 1U << 20U);
    } catch (const Error&) {
      zip->find(entry.name);  // one bad record leaves the others readable
    }
  }
}

}  // namespace ptrun::test
