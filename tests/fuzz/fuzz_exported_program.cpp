// The JSON of a program in a .pt2 archive of torch.export.
#include "archive/exported_program.h"
#include "fuzz/target.h"

namespace ptrun::test {

void fuzz(std::string bytes) {
  const archive::exported::Program program =
      archive::exported::read_program(std::move(bytes), "fuzz", "models/model.json");
  archive::exported::list_operators(program.graph);
}

}  // namespace ptrun::test
