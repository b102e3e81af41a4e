// .pt2 files of torch.export: read as plain data, translated node by node to one graph.
#include <ATen/ATen.h>

#include "archive/exported_program.h"
#include "archive/exported_program_shapes.h"
#include "core/text.h"
#include "graph/tensor_reader.h"
#include "loader/exported_program/signature.h"
#include "loader/exported_program/translate.h"
#include "loader/extra_files.h"
#include "loader/file_facts.h"
#include "loader/loader.h"
#include "loader/presets.h"
#include "operators/operators.h"
#include "ptrun/error.h"

namespace ptrun {
namespace {

namespace source = archive::exported;

// Tensors of the archive's files, each read once.
class Readers {
 public:
  Readers(const source::Archive& archive, std::uint64_t limit) {
    for (const auto& file : archive.files) readers_.push_back(std::make_unique<TensorReader>(file, limit));
  }

  at::Tensor read(const source::Place& place, const std::string& name) {
    return readers_.at(place.file)->read(place.tensor, name, TensorReader::Doubles::keep);
  }

 private:
  std::vector<std::unique_ptr<TensorReader>> readers_;
};

std::int64_t count_parameters(const source::Archive& archive) {
  std::int64_t count = 0;
  for (const source::InputSpec& spec : archive.program.inputs) {
    if (spec.kind != source::InputSpec::Kind::parameter) continue;
    const auto place = archive.weights.find(spec.target);
    if (place == archive.weights.end()) continue;
    const auto& tensor = archive.files[place->second.file]->tensors()[place->second.tensor];
    count += archive::element_count(tensor.shape);
  }
  return count;
}

}  // namespace

void load_exported_program(const LoadRequest& request, Model::Impl& model) {
  const std::string& subject = request.source->name();
  const source::Archive archive = source::open_archive(request.source);
  exported::ProgramInterface interface = exported::read_interface(archive.program, subject);
  register_operators();
  Readers readers(archive, request.options.constant_memory_limit);
  const exported::ReadTensor read = [&](const source::Place& place, const std::string& name) {
    return readers.read(place, name);
  };
  exported::Translation translation = exported::translate(archive, read, subject, request.options.trust);
  model.module = GraphModule{std::move(translation.graph)};
  model.signature = std::move(interface.signature);
  model.task = interface.task;
  model.input_problem = std::move(interface.input_problem);
  model.parameters = count_parameters(archive);
  model.notes.insert(model.notes.end(), translation.notes.begin(), translation.notes.end());
  model.notes.insert(model.notes.end(), interface.notes.begin(), interface.notes.end());
  apply_facts(read_extra_files(*archive.zip, model.notes), model);
  if (model.signature.form == InputForm::batched_nchw) {
    const auto& sizes = model.signature.inputs[0].dimensions;
    take_input_size(sizes[2].size, sizes[3].size, "sizes that the program was exported for", model);
  }
}

}  // namespace ptrun
