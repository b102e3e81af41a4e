// torch.save of before 1.6: five pickles and raw storages.
#include "archive/inspect_archive.h"
#include "fuzz/target.h"

namespace ptrun::test {

void fuzz(std::string bytes) {
  const auto source = archive::from_memory("fuzz", std::move(bytes));
  const auto file = archive::TensorFile::open(source, archive::Kind::torch_save_legacy);
  for (std::size_t i = 0; i < file->storages().size(); ++i) {
    std::string content(file->storages()[i].bytes, '\0');
    file->read_storage(i, content.data());
  }
  archive::find_weights(*file);
}

}  // namespace ptrun::test
