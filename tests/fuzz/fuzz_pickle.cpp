// A pickle by itself, and as the data.pkl of a sound archive with four storages of 64 bytes.
#include "archive/inspect_archive.h"
#include "archive/torch_objects.h"
#include "fuzz/target.h"
#include "support/pt_bytes.h"

namespace ptrun::test {

void fuzz(std::string bytes) {
  {
    const archive::Limits limits;
    const archive::Pickle data = archive::read_pickle(bytes, "fuzz", "pickle", limits);
    const std::size_t nodes = std::min<std::size_t>(data.nodes.size(), 2000);
    for (archive::NodeId id = 0; id < nodes; ++id) {
      data.global_name(id);
      data.callable_name(id);
      data.sequence(id);
      data.lookup(id, "state_dict");
    }
  }
  const std::string storage(64, '\x3F');
  const std::string zip = torch_zip(bytes, {{"0", storage}, {"1", storage}, {"2", storage}, {"3", storage}});
  const auto source = archive::from_memory("fuzz", zip);
  const auto file = archive::TensorFile::open(source, archive::Kind::torch_save_zip);
  for (std::size_t i = 0; i < file->storages().size(); ++i) {
    std::string content(file->storages()[i].bytes, '\0');
    file->read_storage(i, content.data());
  }
  archive::inspect_archive(source, false);
  archive::find_weights(*file);
}

}  // namespace ptrun::test
