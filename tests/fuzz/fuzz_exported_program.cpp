// The JSON of a program in a .pt2 archive of torch.export, with the sizes that it lets its tensors have; or a whole
// archive.
#include "archive/exported_program.h"
#include "archive/exported_program_shapes.h"
#include "fuzz/target.h"

namespace ptrun::test {

void fuzz(std::string bytes) {
  namespace exported = archive::exported;
  if (bytes.compare(0, 2, "PK") == 0) {
    exported::open_archive(archive::from_memory("fuzz", std::move(bytes)));
    return;
  }
  const exported::Program program = exported::read_program(std::move(bytes), "fuzz", "models/model.json");
  exported::list_operators(program.graph);
  for (const auto& [name, meta] : program.graph.tensors) {
    const exported::ShapeRules rules(meta, program, true);
    std::vector<std::int64_t> shape;
    for (const exported::SizeBounds& bounds : rules.dimensions()) {
      shape.push_back(bounds.size >= 0 ? bounds.size : bounds.minimum);
    }
    rules.problem(shape);
    if (!shape.empty()) shape.back() = 64;
    rules.problem(shape);
  }
}

}  // namespace ptrun::test
