// Module trees that no PyTorch writes: every one is an answer with a name, none a crash or a run without end.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <functional>

#include "ptrun/error.h"
#include "ptrun/model.h"
#include "support/pt_bytes.h"
#include "support/scratch.h"

namespace ptrun::test {
namespace {

using ::testing::AllOf;
using ::testing::AnyOf;
using ::testing::HasSubstr;

using Write = std::function<void(PickleBytes&)>;

// An object of `name` with its attributes set by BUILD.
struct ModuleText {
  std::string package;  // below torch.nn.modules, or with all its dots
  std::string name;
  Write parameters = [](PickleBytes&) {};
  Write children = [](PickleBytes&) {};
  Write attributes = [](PickleBytes&) {};
  std::string put = {};  // a memo opcode behind the new object
};

void dict(PickleBytes& out, const Write& entries) {
  out.raw("}").mark();
  entries(out);
  out.raw("u");
}

void write(PickleBytes& out, const ModuleText& module) {
  const bool whole = module.package.find('.') != std::string::npos;
  out.global((whole ? "" : "torch.nn.modules.") + module.package, module.name).raw(")\x81").raw(module.put);
  dict(out, [&](PickleBytes& state) {
    state.text("_parameters");
    dict(state, module.parameters);
    state.text("_buffers").raw("}").text("_modules");
    dict(state, module.children);
    module.attributes(state);
  });
  out.raw("b");
}

void weight(PickleBytes& out, const std::vector<std::int64_t>& size) {
  std::vector<std::int64_t> strides(size.size(), 1);
  for (std::size_t i = size.size(); i-- > 1;) strides[i - 1] = strides[i] * size[i];
  out.text("weight").tensor("FloatStorage", "0", 24, 0, size, strides);
}

ModuleText linear(const std::vector<std::int64_t>& size = {2, 3}) {
  return {"linear", "Linear", [size](PickleBytes& out) { weight(out, size); }};
}

// Sequential(Linear(3, 2), `module`).
std::string beside_linear(const ModuleText& module) {
  PickleBytes out;
  write(out, {"container", "Sequential", [](PickleBytes&) {},
              [&](PickleBytes& children) {
                children.text("first");
                write(children, linear());
                children.text("second");
                write(children, module);
              }});
  return out.stop();
}

ModuleText conv(const Write& attributes) {
  return {"conv", "Conv2d", [](PickleBytes& out) { weight(out, {2, 3, 2, 2}); }, [](PickleBytes&) {}, attributes};
}

class PickledModuleTest : public ::testing::Test {
 protected:
  Error load(const std::string& pickle) {
    const auto path = test::scratch_path("module.pt");
    std::ofstream(path, std::ios::binary) << torch_zip(pickle, {{"0", std::string(96, '\0')}});
    Error found(ErrorCode::internal, "", "was loaded");
    try {
      load_model(path.string());
      ADD_FAILURE() << "was loaded";
    } catch (const Error& error) {
      found = error;
    }
    std::filesystem::remove(path);
    return found;
  }

  void expect(const std::string& pickle, ErrorCode code, const std::string& text) {
    const Error error = load(pickle);
    EXPECT_EQ(error.code(), code) << error.what();
    EXPECT_THAT(error.what(), HasSubstr(text));
  }
};

TEST_F(PickledModuleTest, AModuleInsideItself) {
  PickleBytes out;
  write(out, {"container", "Sequential",
              [](PickleBytes& parameters) {
                weight(parameters, {2, 3});
              },
              [](PickleBytes& children) { children.text("0").raw("h\x07"); }, [](PickleBytes&) {}, "q\x07"});
  EXPECT_THAT(load(out.stop()).code(), AnyOf(ErrorCode::limit_exceeded, ErrorCode::bad_model));
}

TEST_F(PickledModuleTest, SharedModulesThatDoubleAtEveryLevel) {
  PickleBytes out;
  // Written from the inside: each level holds the memo of the level below twice.
  write(out, {"linear", "Linear",
              [](PickleBytes& p) {
                weight(p, {2, 3});
              },
              [](PickleBytes&) {}, [](PickleBytes&) {}, std::string("q") + '\x01'});
  for (int level = 2; level < 60; ++level) {
    out.raw("0");
    const std::string below = {'h', static_cast<char>(level - 1)};
    write(out, {"container", "Sequential", [](PickleBytes&) {},
                [&](PickleBytes& children) { children.text("0").raw(below).text("1").raw(below); }, [](PickleBytes&) {},
                std::string{'q', static_cast<char>(level)}});
  }
  expect(out.stop(), ErrorCode::limit_exceeded, "limit");
}

TEST_F(PickledModuleTest, OneModuleRunTooOften) {
  PickleBytes out;
  write(out, {"container", "Sequential", [](PickleBytes&) {},
              [](PickleBytes& children) {
                children.text("first");
                write(children, linear());
                children.text("0");
                write(children, {"activation", "ReLU", [](PickleBytes&) {}, [](PickleBytes&) {}, [](PickleBytes&) {},
                                 std::string("q") + '\x01'});
                for (int i = 1; i < 120'000; ++i) children.text(std::to_string(i)).raw(std::string("h") + '\x01');
              }});
  expect(out.stop(), ErrorCode::limit_exceeded, "100000 others");
}

TEST_F(PickledModuleTest, ModulesNestedTooDeep) {
  PickleBytes out;
  const std::function<void(PickleBytes&, int)> nest = [&](PickleBytes& to, int level) {
    if (level == 0) return write(to, linear());
    write(to, {"container", "Sequential", [](PickleBytes&) {},
               [&](PickleBytes& children) {
                 children.text("0");
                 nest(children, level - 1);
               }});
  };
  nest(out, 120);
  expect(out.stop(), ErrorCode::limit_exceeded, "nested deeper than 100 modules");
}

// Sequential of `count` layers Upsample(scale_factor=`factor`), after `first` where there is one.
std::string upsampling(int count, double factor, const ModuleText* first = nullptr) {
  PickleBytes out;
  write(out, {"container", "Sequential", [](PickleBytes&) {},
              [&](PickleBytes& children) {
                if (first != nullptr) {
                  children.text("first");
                  write(children, *first);
                }
                for (int i = 0; i < count; ++i) {
                  children.text(std::to_string(i));
                  write(children, {"upsampling", "Upsample", [](PickleBytes&) {}, [](PickleBytes&) {},
                                   [&](PickleBytes& attributes) { attributes.text("scale_factor").real(factor); }});
                }
              }});
  return out.stop();
}

TEST_F(PickledModuleTest, LayersThatGrowWithoutEnd) {
  expect(upsampling(40, 2.0), ErrorCode::limit_exceeded, "take more than 48.0 MiB for one image of 32 x 32 pixels");
  expect(upsampling(3, 64.0), ErrorCode::limit_exceeded, "take more than 48.0 MiB");
  // Layers that fit one size alone, so that no smaller image tells: 1 GiB is the end.
  const ModuleText narrow = linear();
  expect(upsampling(40, 4.0, &narrow), ErrorCode::bad_model, "do not fit together");
}

// 224 x 224 pixels become 7168 x 7168, which is 617 MB: a small image shows that the layers are sound.
TEST_F(PickledModuleTest, LayersThatGrowWithinReason) {
  const auto path = test::scratch_path("module.pt");
  std::ofstream(path, std::ios::binary) << torch_zip(upsampling(5, 2.0), {{"0", std::string(96, '\0')}});
  EXPECT_EQ(load_model(path.string()).task(), Task::tensors);
  std::filesystem::remove(path);
}

TEST_F(PickledModuleTest, AttributesThatAreAbsentOrOfAnotherType) {
  const auto sizes = [](PickleBytes& out) {
    out.text("kernel_size").integers({2, 2}).text("stride").integers({1, 1}).text("padding").integers({0, 0});
  };
  expect(beside_linear(conv([](PickleBytes&) {})), ErrorCode::bad_model,
         "Conv2d at second has no attribute 'kernel_size'");
  expect(beside_linear(conv([](PickleBytes& out) { out.text("kernel_size").text("big"); })), ErrorCode::bad_model,
         "Conv2d at second has an attribute 'kernel_size' that is a text, expected integers");
  expect(beside_linear(conv([](PickleBytes& out) {
           out.text("kernel_size").integers({2, 2, 2});
         })),
         ErrorCode::bad_model, "'kernel_size' of 3 numbers, expected 2");
  expect(beside_linear(conv([&](PickleBytes& out) {
           sizes(out);
           out.text("dilation").integers({1LL << 40, 1});
         })),
         ErrorCode::bad_model, "dilation 1099511627776, expected 1 to 4096");
  expect(beside_linear(conv([&](PickleBytes& out) {
           sizes(out);
           out.text("groups").real(1.5);
         })),
         ErrorCode::bad_model, "'groups' that is a real number");
  expect(beside_linear(conv([&](PickleBytes& out) {
           sizes(out);
           out.text("padding_mode").text("mirror");
         })),
         ErrorCode::bad_model, "padding_mode 'mirror'");
  expect(beside_linear({"upsampling", "Upsample", [](PickleBytes&) {}, [](PickleBytes&) {},
                        [](PickleBytes& out) { out.text("scale_factor").real(1e9); }}),
         ErrorCode::bad_model, "scale_factor that is not above 0 and at most 64");
  expect(beside_linear({"padding", "ZeroPad2d", [](PickleBytes&) {}, [](PickleBytes&) {},
                        [](PickleBytes& out) {
                          out.text("padding").integers({0, 0, 0, 1 << 30});
                        }}),
         ErrorCode::bad_model, "padding 1073741824, expected -4096 to 4096");
}

TEST_F(PickledModuleTest, ChildrenAndWeightsThatAreMissingOrSomethingElse) {
  PickleBytes number;
  write(number, {"container", "Sequential",
                 [](PickleBytes& p) {
                   weight(p, {2, 3});
                 },
                 [](PickleBytes& children) { children.text("0").integer(5); }});
  expect(number.stop(), ErrorCode::bad_model, "Sequential has a child '0' that is an integer, expected a module");
  expect(beside_linear({"activation", "MultiheadAttention"}), ErrorCode::unsupported, "is given 1 tensors");
  expect(beside_linear({"transformer", "TransformerEncoderLayer"}), ErrorCode::bad_model, "has no child 'self_attn'");
  expect(beside_linear({"linear", "Linear"}), ErrorCode::bad_model, "Linear at second has no tensor 'weight'");
  expect(beside_linear(linear({2, 3, 1})), ErrorCode::bad_model, "'weight' of 3 dimensions, expected 2");
  expect(beside_linear({"activation", "PReLU", [](PickleBytes& p) { p.text("weight").text("none"); }}),
         ErrorCode::bad_model, "PReLU at second has no tensor 'weight'");
}

// Each layer takes what the one before gave 64 times.
TEST_F(PickledModuleTest, ListsOfTensorsThatMultiply) {
  PickleBytes out;
  const auto from = [](const std::vector<std::int64_t>& layers) {
    return [layers](PickleBytes& to) { to.text("f").integers(layers).text("i").integer(0); };
  };
  write(out, {"ultralytics.nn.tasks", "DetectionModel",
              [](PickleBytes& parameters) {
                weight(parameters, {2, 3});
              },
              [&](PickleBytes& children) {
                children.text("model");
                write(
                    children,
                    {"container", "Sequential", [](PickleBytes&) {},
                     [&](PickleBytes& layers) {
                       for (int i = 0; i < 5; ++i) {
                         layers.text(std::to_string(i));
                         const auto sources = std::vector<std::int64_t>(i == 0 ? 1 : 64, -1);
                         write(layers, {"linear", "Identity", [](PickleBytes&) {}, [](PickleBytes&) {}, from(sources)});
                       }
                     }});
              }});
  expect(out.stop(), ErrorCode::bad_model, "takes more than 4096 tensors");
}

TEST_F(PickledModuleTest, PartsOfChannelsThatOverflow) {
  for (const std::int64_t size : {INT64_MAX, std::int64_t{1} << 21U, std::int64_t{0}}) {
    PickleBytes out;
    write(out, {"ultralytics.nn.modules.block", "CBLinear", [](PickleBytes&) {},
                [](PickleBytes& children) {
                  children.text("conv");
                  write(
                      children, conv([](PickleBytes& to) {
                        to.text("kernel_size").integers({2, 2}).text("stride").integers({1, 1});
                        to.text("padding").integers({0, 0}).text("dilation").integers({1, 1}).text("groups").integer(1);
                        to.text("padding_mode").text("zeros");
                      }));
                },
                [size](PickleBytes& to) {
                  to.text("c2s").integers({1, size});
                }});
    expect(out.stop(), ErrorCode::bad_model, "parts of impossible sizes");
  }
}

TEST_F(PickledModuleTest, ModulesThatDoNotFitTogether) {
  expect(beside_linear(linear()), ErrorCode::bad_model, "do not fit together");
}

}  // namespace
}  // namespace ptrun::test
