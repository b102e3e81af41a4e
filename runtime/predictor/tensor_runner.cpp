#include <c10/core/InferenceMode.h>

#include "executor/executor.h"
#include "predictor/input.h"
#include "preprocess/preprocess.h"
#include "ptrun/error.h"
#include "ptrun/torch.h"

namespace ptrun {
namespace {

ExecutorOptions executor_options(const Model& model, const PredictOptions& options) {
  if (!model.signature().preprocesses_itself) check_preset(model.preset().values);
  ExecutorOptions chosen;
  chosen.device = parse_device(options.device);
  if (options.device == "auto") chosen.device = fit_device(model, chosen.device, options.log);
  chosen.precision = options.precision;
  chosen.batch_size = options.batch_size > 0 ? options.batch_size : 1;
  chosen.log = options.log;
  return chosen;
}

}  // namespace

struct TensorRunner::Impl {
  Impl(const Model& given, const PredictOptions& given_options)
      : model(given), options(given_options), executor(model, executor_options(model, options)) {}
  const Model model;
  const PredictOptions options;
  const Executor executor;
};

TensorRunner::TensorRunner(const Model& model, const PredictOptions& options)
    : impl_(std::make_unique<Impl>(model, options)) {}
TensorRunner::~TensorRunner() = default;

at::Tensor TensorRunner::prepare(const Input& image) const {
  const Preset& preset = impl_->model.preset().values;
  if (impl_->model.signature().form != InputForm::batched_nchw) {
    throw Error(ErrorCode::unsupported, impl_->model.path(),
                "the model does not take a batch of images of one size, which is what prepare() makes; use Predictor");
  }
  const std::string subject = subject_of(image);
  image::Pixels pixels;
  std::vector<char> file;
  const std::string_view bytes = encoded_bytes(image, subject, impl_->options.max_image_bytes, file);
  decode_input(image, bytes, subject, decode_options(impl_->options, preset), pixels);
  at::Tensor tensor = at::empty({3, preset.input_height, preset.input_width}, at::kFloat);
  PreprocessScratch scratch;
  preprocess(pixels, preset, scratch, tensor.mutable_data_ptr<float>());
  return tensor;
}

c10::IValue TensorRunner::run(const at::Tensor& batch) const {
  if (!batch.defined() || batch.dim() != 4 || batch.scalar_type() != at::kFloat || !batch.device().is_cpu()) {
    throw Error(ErrorCode::invalid_argument, "batch",
                "is not a tensor [N, 3, H, W] of float32 on the CPU, which was expected; convert it before");
  }
  if (batch.size(0) < 1 || batch.size(0) > batch_size()) {
    throw Error(ErrorCode::invalid_argument, "batch",
                "holds " + std::to_string(batch.size(0)) + " images, expected 1 to " + std::to_string(batch_size()) +
                    "; raise PredictOptions::batch_size or split the batch");
  }
  const c10::InferenceMode inference;
  return impl_->executor.run(batch.contiguous());
}

int TensorRunner::batch_size() const noexcept { return impl_->executor.batch_size(); }

}  // namespace ptrun
