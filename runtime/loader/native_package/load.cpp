// AOTInductor packages -> Model. Everything that can be said without loading the code is said before it is loaded.
#include <ATen/ATen.h>
#include <c10/core/InferenceMode.h>

#include "graph/dtype.h"
#include "graph/failure_text.h"
#include "graph/silence.h"
#include "loader/loader.h"
#include "loader/native_package/package.h"
#include "loader/native_package/program.h"
#include "loader/presets.h"
#include "ptrun/error.h"

namespace ptrun {
namespace {

// The smallest tensor that `spec` allows.
at::Tensor smallest(const TensorSpec& spec) {
  std::vector<std::int64_t> sizes;
  sizes.reserve(spec.dimensions.size());
  for (const Dimension& dimension : spec.dimensions) {
    sizes.push_back(dimension.size >= 0 ? dimension.size : std::max<std::int64_t>(dimension.minimum, 1));
  }
  return at::zeros(sizes, at::TensorOptions().dtype(scalar_type(spec.dtype).value_or(at::kFloat)));
}

// One run tells how many outputs there are; a single [N, C] holds the scores of classes.
void learn_outputs(const NativeProgram& program, const std::string& subject, Model::Impl& model) {
  const std::vector<TensorSpec>& inputs = model.signature.inputs;
  std::vector<at::Tensor> example;
  example.reserve(inputs.size());
  for (const TensorSpec& spec : inputs) example.push_back(smallest(spec));
  const std::int64_t batch = example[0].size(0);
  std::vector<at::Tensor> outputs;
  try {
    const c10::InferenceMode guard;
    outputs = program.run(std::move(example));
  } catch (const Error&) {
    throw;
  } catch (const std::exception& error) {
    throw Error(ErrorCode::model_failed, subject,
                "its native code failed on a first, black input (" + jit::failure_text(error) +
                    "); compile it again with the PyTorch that ptrun is built with");
  }
  OutputNode& output = model.signature.output;
  if (outputs.size() != 1) {
    output.kind = OutputNode::Kind::tuple;
    output.children.resize(outputs.size());
    return;
  }
  if (outputs[0].dim() != 2 || outputs[0].size(0) != batch || outputs[0].size(1) < 2) return;
  model.task = Task::classify;
  Dimension images;
  images.batch = true;
  Dimension classes;
  classes.size = outputs[0].size(1);
  output.spec.dimensions = {images, classes};
}

}  // namespace

void load_native_package(const LoadRequest& request, Model::Impl& model) {
  const std::string& subject = request.source->name();
  if (!request.options.trust_native_code) {
    throw Error(ErrorCode::unsupported, subject,
                "is an AOTInductor package, native code that runs with all the rights of this process; "
                "--trust-native-code runs it, only for a package that you compiled yourself; a file of "
                "torch.export.save needs no such trust");
  }
  if (!request.sidecar.native) {
    throw Error(ErrorCode::unsupported, subject,
                "does not say what its native code takes, and other inputs would make it read foreign memory; write "
                "it to " +
                    subject +
                    ".ptrun.json: {\"native\": {\"torch\": \"VERSION\", \"inputs\": [{\"shape\": [[1, MOST], 3, "
                    "HEIGHT, WIDTH], \"dtype\": \"float32\"}]}} with its own numbers, where [1, MOST] is the range of "
                    "a dynamic size");
  }
  const NativeFacts& facts = *request.sidecar.native;
  const native::Package package = native::read_package(request.source, request.options.constant_memory_limit);
  native::require_host(package, native::this_host(), facts.torch);
  const jit::Silence quiet;
  model.signature.inputs = facts.inputs;
  if (facts.inputs.size() != 1 || facts.inputs[0].dimensions.size() != 4) model.signature.form = InputForm::named;
  const auto program = native::open_program(package, facts.inputs);
  model.module = NativeModule{program};
  model.task = Task::tensors;
  learn_outputs(*program, subject, model);
  if (model.signature.form == InputForm::batched_nchw) {
    const std::vector<Dimension>& sizes = model.signature.inputs[0].dimensions;
    take_input_size(sizes[2].size, sizes[3].size, "size of the compiled input", model);
  }
  model.notes.emplace_back("runs the native code of the package, which is trusted like a program");
}

}  // namespace ptrun
