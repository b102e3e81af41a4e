#include "loader/native_package/program.h"

#include <ATen/ATen.h>
#include <dlfcn.h>
#include <torch/csrc/inductor/aoti_runner/model_container_runner_cpu.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <thread>

#include "core/shared_module.h"
#include "core/text.h"
#include "graph/dtype.h"
#include "graph/failure_text.h"
#include "ptrun/error.h"

namespace ptrun::native {
namespace {

namespace fs = std::filesystem;

// Calls that run at the same time; more wait. They share the weights.
constexpr std::size_t kMaxCalls = 16;

class TemporaryFolder {
 public:
  explicit TemporaryFolder(const std::string& subject) {
    std::error_code unreadable;
    const fs::path parent = fs::temp_directory_path(unreadable);
    std::string name = (unreadable ? fs::path("/tmp") : parent) / "ptrun-native-XXXXXX";
    if (mkdtemp(name.data()) == nullptr) {
      throw Error(ErrorCode::output_failed, subject,
                  "its native code needs a folder beside " + printable(name) +
                      ", which cannot be made; set TMPDIR to one that can be written");
    }
    path_ = name;
  }
  ~TemporaryFolder() {
    std::error_code ignored;
    fs::remove_all(path_, ignored);
  }
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;

  const fs::path& path() const { return path_; }

 private:
  fs::path path_;
};

fs::path file_in(const fs::path& folder, const Package& package, const archive::ZipEntry& entry) {
  const std::string_view name = package.zip->short_name(entry);
  return folder / fs::path(name.substr(name.rfind('/') + 1));
}

void extract(const Package& package, const fs::path& folder) {
  for (const archive::ZipEntry* entry : package.files) {
    const std::string_view name = package.zip->short_name(*entry);
    // Source text is for people.
    if (name.size() > 4 && name.substr(name.size() - 4) == ".cpp") continue;
    const std::string bytes = package.zip->read(*entry, entry->size);
    std::ofstream file(file_in(folder, package, *entry), std::ios::binary);
    file.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
    if (!file.flush()) {
      throw Error(ErrorCode::output_failed, package.zip->source().name(),
                  "its native code cannot be extracted to " + printable(folder.string()) +
                      "; set TMPDIR to a folder with " + human_bytes(entry->size) + " of room");
    }
  }
}

// Compiled packages need a library called libtorch.so. Where PyTorch's own is not loaded, an empty one has its name.
void provide_libtorch_name() {
  if (dlopen("libtorch.so", RTLD_NOW | RTLD_NOLOAD) != nullptr) return;
  module_symbol("libptrun_torch.so", "ptrun_libtorch_name");
}

std::string shape_text(const at::Tensor& tensor) {
  std::string text = "[";
  for (const std::int64_t size : tensor.sizes()) text += (text.size() > 1 ? ", " : "") + std::to_string(size);
  return text + "] " + at::toString(tensor.scalar_type());
}

std::string spec_text(const TensorSpec& spec) {
  std::string text = "[";
  for (const Dimension& dimension : spec.dimensions) {
    text += text.size() > 1 ? ", " : "";
    text += dimension.size >= 0 ? std::to_string(dimension.size)
                                : std::to_string(dimension.minimum) + " to " +
                                      (dimension.maximum < 0 ? "any" : std::to_string(dimension.maximum));
  }
  const auto type = scalar_type(spec.dtype);
  return text + "] " + (type ? at::toString(*type) : "of an unknown type");
}

bool fits(const at::Tensor& tensor, const TensorSpec& spec) {
  if (!tensor.defined() || tensor.layout() != at::kStrided || !tensor.device().is_cpu() ||
      scalar_type(spec.dtype) != tensor.scalar_type() ||
      tensor.dim() != static_cast<std::int64_t>(spec.dimensions.size())) {
    return false;
  }
  for (std::size_t i = 0; i < spec.dimensions.size(); ++i) {
    const Dimension& dimension = spec.dimensions[i];
    const std::int64_t size = tensor.size(static_cast<std::int64_t>(i));
    const bool inside = dimension.size >= 0
                            ? size == dimension.size
                            : size >= dimension.minimum && (dimension.maximum < 0 || size <= dimension.maximum);
    if (!inside) return false;
  }
  return true;
}

class Program final : public NativeProgram {
 public:
  Program(std::string subject, std::vector<TensorSpec> inputs,
          std::unique_ptr<torch::inductor::AOTIModelContainerRunnerCpu> runner)
      : subject_(std::move(subject)), inputs_(std::move(inputs)), runner_(std::move(runner)) {}

  std::vector<at::Tensor> run(std::vector<at::Tensor> inputs) const override {
    if (inputs.size() != inputs_.size()) {
      throw Error(ErrorCode::invalid_argument, subject_,
                  "its native code takes " + std::to_string(inputs_.size()) + " inputs, " +
                      std::to_string(inputs.size()) + " were given");
    }
    for (std::size_t i = 0; i < inputs.size(); ++i) {
      if (!fits(inputs[i], inputs_[i])) {
        throw Error(ErrorCode::invalid_argument, subject_,
                    "input " + std::to_string(i) + " is " +
                        (inputs[i].defined() ? shape_text(inputs[i]) : std::string("no tensor")) +
                        ", expected a dense CPU tensor " + spec_text(inputs_[i]));
      }
      // The code reads memory by the strides of its example, which were row by row.
      inputs[i] = inputs[i].contiguous();
    }
    return runner_->run(inputs);
  }

 private:
  std::string subject_;
  std::vector<TensorSpec> inputs_;
  std::unique_ptr<torch::inductor::AOTIModelContainerRunnerCpu> runner_;
};

}  // namespace

std::shared_ptr<const NativeProgram> open_program(const Package& package, std::vector<TensorSpec> inputs) {
  const std::string& subject = package.zip->source().name();
  provide_libtorch_name();
  const TemporaryFolder folder(subject);
  extract(package, folder.path());
  const std::size_t calls = std::min<std::size_t>(kMaxCalls, std::max(1U, std::thread::hardware_concurrency()));
  try {
    auto runner = std::make_unique<torch::inductor::AOTIModelContainerRunnerCpu>(
        file_in(folder.path(), package, *package.library).string(), calls);
    return std::make_shared<Program>(subject, std::move(inputs), std::move(runner));
  } catch (const std::exception& error) {
    throw Error(ErrorCode::unsupported, subject,
                "LibTorch cannot open its native code (" + jit::failure_text(error) +
                    "); compile it again with the PyTorch that ptrun is built with");
  }
}

}  // namespace ptrun::native
