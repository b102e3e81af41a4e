// AOTInductor packages, made here around the library of tests/support/native_model.cpp: what is refused before anything
// of it is loaded, and what runs. Each test runs in a process of its own, as ctest starts it.
#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <torch/version.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "executor/executor.h"
#include "loader/native_package/package.h"
#include "ptrun/error.h"
#include "ptrun/inspect.h"
#include "support/made_model.h"
#include "support/pt_bytes.h"
#include "support/scratch.h"

namespace ptrun {
namespace {

namespace fs = std::filesystem;
using test::error_of;
using testing::AllOf;
using testing::HasSubstr;

const std::string kInputs = R"("inputs": [{"shape": [[1, 4], 3, 2, 5], "dtype": "float32"}])";
const std::string kSidecar = R"({"native": {"torch": ")" TORCH_VERSION R"(", )" + kInputs + "}}";

std::string file_bytes(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream bytes;
  bytes << file.rdbuf();
  return bytes.str();
}

std::string metadata(const std::string& isa = "", const std::string& device = "cpu",
                     const std::string& machine = native::this_host().machine) {
  return R"({"AOTI_DEVICE_KEY":")" + device + R"(","AOTI_PLATFORM":"linux","AOTI_MACHINE":")" + machine +
         R"(","AOTI_CPU_ISA":")" + isa + R"(","AOTI_COMPUTE_CAPABILITY":"90"})";
}

class NativePackage : public testing::Test {
 protected:
  void SetUp() override {
    root_ = test::scratch_path("native");
    fs::create_directories(root_ / "tmp");
    setenv("TMPDIR", (root_ / "tmp").c_str(), 1);
    unsetenv("PTRUN_TEST_NATIVE_CODE_RAN");
  }
  void TearDown() override {
    EXPECT_TRUE(fs::is_empty(root_ / "tmp")) << "extracted code was left behind";
    unsetenv("TMPDIR");
    fs::remove_all(root_);
  }

  // Writes model.pt2 and its sidecar; returns the path.
  std::string package(const std::string& meta, const std::string& sidecar = kSidecar,
                      const std::string& library = file_bytes(PTRUN_TEST_NATIVE_MODEL),
                      const std::string& name = "m/data/aotinductor/model/c.wrapper.so") const {
    const std::string path = root_ / "model.pt2";
    const auto record = [](const std::string& record_name, const std::string& data) {
      test::ZipRecord made;
      made.name = record_name;
      made.data = data;
      return made;
    };
    std::ofstream(path, std::ios::binary)
        << test::zip_bytes({record(name, library), record("m/data/aotinductor/model/c.wrapper_metadata.json", meta),
                            record("m/archive_format", "pt2"), record("m/archive_version", "0")});
    fs::remove(path + ".ptrun.json");
    if (!sidecar.empty()) std::ofstream(path + ".ptrun.json") << sidecar;
    return path;
  }

  static bool code_ran() { return std::getenv("PTRUN_TEST_NATIVE_CODE_RAN") != nullptr; }

  static LoadOptions trusting() {
    LoadOptions options;
    options.trust_native_code = true;
    return options;
  }

  static std::string refusal(const std::string& path) {
    return error_of([&] { load_model(path, trusting()); }).what();
  }

  fs::path root_;
};

TEST_F(NativePackage, RunsAndGivesItsNumbers) {
  const Model model = load_model(package(metadata()), trusting());
  EXPECT_TRUE(code_ran());
  EXPECT_TRUE(fs::is_empty(root_ / "tmp"));
  EXPECT_EQ(model.task(), Task::classify);
  EXPECT_EQ(model.preset().values.input_height, 2);
  EXPECT_EQ(model.preset().values.input_width, 5);
  ExecutorOptions options;
  options.batch_size = 8;
  const Executor executor(model, options);
  EXPECT_STREQ(executor.plan_name(), "native");
  EXPECT_EQ(executor.batch_size(), 4);  // the largest that the sidecar allows
  const at::Tensor images = at::arange(2 * 3 * 10, at::kFloat).view({2, 3, 2, 5});
  EXPECT_TRUE(at::allclose(executor.run(images).toTensor(), images.mean({2, 3})));
  // Memory in another order than the code's example.
  const at::Tensor last = images.contiguous(at::MemoryFormat::ChannelsLast);
  EXPECT_TRUE(at::allclose(executor.run(last).toTensor(), images.mean({2, 3})));
  EXPECT_THAT(error_of([&] { executor.run(at::zeros({1, 3, 2, 6})); }).what(), HasSubstr("[1, 3, 2, 6]"));
}

TEST_F(NativePackage, ChecksWhatGoesIn) {
  const Model model = load_model(package(metadata()), trusting());
  const auto& program = *std::get<NativeModule>(model.impl().module).program;
  const auto given = [&](std::vector<at::Tensor> inputs) {
    const Error error = error_of([&] { program.run(inputs); });
    EXPECT_EQ(error.code(), ErrorCode::invalid_argument);
    return std::string(error.what());
  };
  EXPECT_THAT(given({at::zeros({1, 3, 2, 5}, at::kDouble)}),
              AllOf(HasSubstr("[1, 3, 2, 5] Double"), HasSubstr("[1 to 4, 3, 2, 5] Float")));
  EXPECT_THAT(given({at::zeros({3, 2, 5})}), HasSubstr("[3, 2, 5] Float"));
  EXPECT_THAT(given({at::zeros({5, 3, 2, 5})}), HasSubstr("[5, 3, 2, 5]"));
  EXPECT_THAT(given({at::Tensor()}), HasSubstr("no tensor"));
  EXPECT_THAT(given({}), HasSubstr("takes 1 inputs, 0 were given"));
  EXPECT_NO_THROW(program.run({at::zeros({4, 3, 2, 5})}));
}

TEST_F(NativePackage, IsNotLoadedWithoutTrustOrFacts) {
  const Error untrusted = error_of([&] { load_model(package(metadata())); });
  EXPECT_EQ(untrusted.code(), ErrorCode::unsupported);
  EXPECT_THAT(untrusted.what(), HasSubstr("--trust-native-code"));
  EXPECT_THAT(refusal(package(metadata(), "")), HasSubstr("model.pt2.ptrun.json: {\"native\""));
  for (const char* native :
       {"1", "{}", R"({"torch":"2.15.0","inputs":[]})", R"({"torch":"2.15.0","inputs":[{"shape":[0]}]})",
        R"({"torch":"2.15.0","inputs":[{"shape":[[4,1],3]}]})", R"({"torch":"2.15.0","inputs":[{"dtype":"float32"}]})",
        R"({"torch":"2.15.0","inputs":[{"shape":[1],"dtype":"text"}]})", R"({"inputs":[{"shape":[1]}]})"}) {
    EXPECT_THAT(refusal(package(metadata(), std::string(R"({"native": )") + native + "}")), HasSubstr("native"))
        << native;
  }
  EXPECT_FALSE(code_ran());
}

TEST_F(NativePackage, IsNotLoadedWhenCompiledForAnotherHost) {
  EXPECT_THAT(refusal(package(metadata("", "cuda"))), HasSubstr("device cuda of compute capability 90"));
  EXPECT_THAT(refusal(package(metadata("", "cpu", "pdp11"))), HasSubstr("machine pdp11"));
  EXPECT_THAT(refusal(package(metadata("AVX999"))), HasSubstr("instruction set AVX999"));
  EXPECT_THAT(refusal(package(R"({"AOTI_DEVICE_KEY":"cpu","AOTI_PLATFORM":"win32"})")), HasSubstr("platform win32"));
  EXPECT_THAT(refusal(package(metadata(), R"({"native": {"torch": "2.9.1", )" + kInputs + "}}")),
              HasSubstr("LibTorch version 2.9.1"));
  EXPECT_THAT(refusal(package("[]")), HasSubstr("is not a JSON object"));
  EXPECT_FALSE(code_ran());
}

TEST_F(NativePackage, InstructionSetsAreThoseOfTheProcessor) {
  const auto opened = [&](const std::string& isa) {
    return native::read_package(archive::open_file(package(metadata(isa))), 1U << 30U);
  };
  native::Host host = native::this_host();
  const std::string torch = host.torch;
  host.flags = {"avx2", "fma", "f16c", "avx512f", "avx512dq", "avx512vl"};
  EXPECT_NO_THROW(native::require_host(opened("AVX2"), host, torch));
  EXPECT_THAT(error_of([&] { native::require_host(opened("AVX512"), host, torch); }).what(), HasSubstr("avx512bw"));
  host.flags.insert("avx512bw");
  EXPECT_NO_THROW(native::require_host(opened("AVX512"), host, torch));
  EXPECT_THAT(error_of([&] { native::require_host(opened("AVX512 AVX512_VNNI"), host, torch); }).what(),
              HasSubstr("avx512_vnni"));
}

TEST_F(NativePackage, LeavesNothingBehindWhenItCannotBeOpened) {
  EXPECT_THAT(refusal(package(metadata(), kSidecar, "no library at all")), HasSubstr("cannot open its native code"));
  EXPECT_THAT(refusal(package(metadata(), kSidecar, "x", "m/data/aotinductor/model/c.cpp")),
              HasSubstr("runs no compiler"));
  EXPECT_THAT(refusal(package(metadata(), kSidecar, "x", "m/data/aotinductor/model/sub/c.so")), HasSubstr("sub/c.so"));
  EXPECT_THAT(refusal(package(metadata(), kSidecar, "x", "m/data/aotinductor/other/c.so")),
              HasSubstr("runs no compiler"));
}

TEST_F(NativePackage, InspectLoadsNothing) {
  const Inspection found = inspect(package(metadata("AVX512")));
  EXPECT_EQ(found.kind, "aot_inductor");
  EXPECT_FALSE(found.runnable);
  EXPECT_TRUE(std::any_of(found.findings.begin(), found.findings.end(), [](const Finding& finding) {
    return finding.name == "AOTI_CPU_ISA" && finding.value == "AVX512";
  }));
  EXPECT_THAT(found.explanation, HasSubstr("--trust-native-code"));
  EXPECT_FALSE(code_ran());
}

}  // namespace
}  // namespace ptrun
