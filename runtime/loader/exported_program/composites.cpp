// What ExportedProgram.run_decompositions() leaves, as the composite operators that it came from: they give the same
// numbers, and folding and oneDNN know them.
#include <ATen/ATen.h>

#include <algorithm>
#include <array>

#include "loader/exported_program/translator.h"

namespace ptrun::exported {
namespace {

using source::Argument;
using Kind = Argument::Kind;
using jit::CallArgument;
using jit::Operand;

Operand constant(bool value) { return c10::IValue(value); }

bool is_false(const Argument* argument) {
  return argument != nullptr && argument->kind == Kind::boolean && argument->integer == 0;
}

bool is_one(const Argument* argument) {
  return argument == nullptr || (argument->kind == Kind::integer && argument->integer == 1) ||
         (argument->kind == Kind::real && argument->real == 1.0);
}

// Arguments of the node under the names of another schema.
class Renamed {
 public:
  Renamed(Translator& translator, const Call& call) : translator_(translator), call_(call) {}

  // Absent arguments stay absent, so that the schema's default counts.
  Renamed& take(const char* to, const char* from) {
    const Argument* argument = call_.find(from);
    if (argument == nullptr) return *this;
    const bool list = argument->kind == Kind::integers || argument->kind == Kind::list;
    if (list) {
      arguments_.push_back({to, translator_.operands(*argument, call_.scope)});
    } else {
      arguments_.push_back({to, translator_.operand(*argument, call_.scope)});
    }
    return *this;
  }
  Renamed& take(const char* name) { return take(name, name); }
  Renamed& set(const char* to, Operand value) {
    arguments_.push_back({to, std::move(value)});
    return *this;
  }
  void write(const std::string& schema) { translator_.replace(call_, schema, std::move(arguments_)); }

 private:
  Translator& translator_;
  const Call& call_;
  std::vector<CallArgument> arguments_;
};

bool only_first_used(const Translator& translator, const Call& call) {
  for (std::size_t i = 1; i < call.node.outputs.size(); ++i) {
    if (translator.is_used(call, i)) return false;
  }
  return true;
}

bool convolution(Translator& translator, const Call& call) {
  const Argument* stride = call.find("stride");
  const Argument* transposed = call.find("transposed");
  if (stride == nullptr || stride->kind != Kind::integers || transposed == nullptr) return false;
  const std::size_t rank = stride->integers.size();
  if (rank < 1 || rank > 3) return false;
  const std::string suffix = std::to_string(rank) + "d";
  Renamed arguments(translator, call);
  arguments.take("input").take("weight").take("bias").take("stride").take("padding").take("dilation").take("groups");
  if (is_false(transposed)) {
    arguments.write("aten::conv" + suffix);
  } else {
    arguments.take("output_padding").write("aten::conv_transpose" + suffix + (rank == 1 ? "" : ".input"));
  }
  return true;
}

bool batch_norm(Translator& translator, const Call& call) {
  const Argument* training = call.find("training");
  if (training != nullptr && !is_false(training)) return false;
  Renamed(translator, call)
      .take("input")
      .take("weight")
      .take("bias")
      .take("running_mean")
      .take("running_var")
      .set("training", constant(false))
      .take("momentum")
      .take("eps")
      .set("cudnn_enabled", constant(false))
      .write("aten::batch_norm");
  return true;
}

bool layer_norm(Translator& translator, const Call& call) {
  Renamed(translator, call)
      .take("input")
      .take("normalized_shape")
      .take("weight")
      .take("bias")
      .take("eps")
      .set("cudnn_enable", constant(false))
      .write("aten::layer_norm");
  return true;
}

bool group_norm(Translator& translator, const Call& call) {
  Renamed(translator, call)
      .take("input")
      .take("num_groups", "group")
      .take("weight")
      .take("bias")
      .take("eps")
      .set("cudnn_enabled", constant(false))
      .write("aten::group_norm");
  return true;
}

bool max_pool(Translator& translator, const Call& call) {
  Renamed(translator, call)
      .take("self")
      .take("kernel_size")
      .take("stride")
      .take("padding")
      .take("dilation")
      .take("ceil_mode")
      .write("aten::max_pool2d");
  return true;
}

bool softmax(Translator& translator, const Call& call) {
  if (!is_false(call.find("half_to_float"))) return false;
  const bool logarithm = call.name == "aten::_log_softmax";
  Renamed(translator, call).take("self").take("dim").write(logarithm ? "aten::log_softmax.int" : "aten::softmax.int");
  return true;
}

bool adaptive_pool(Translator& translator, const Call& call) {
  Renamed(translator, call).take("self").take("output_size").write("aten::adaptive_avg_pool2d");
  return true;
}

bool attention(Translator& translator, const Call& call) {
  Renamed(translator, call)
      .take("query")
      .take("key")
      .take("value")
      .take("attn_mask", call.find("attn_bias") != nullptr ? "attn_bias" : "attn_mask")
      .take("dropout_p")
      .take("is_causal")
      .take("scale")
      .write("aten::scaled_dot_product_attention");
  return true;
}

// Weights are kept with the transpose that a linear layer applied to them.
bool transpose(Translator& translator, const Call& call) {
  const Argument* dims = call.find("dims");
  const bool swaps = call.name == "aten::t" || (dims != nullptr && dims->kind == Kind::integers &&
                                                dims->integers == std::vector<std::int64_t>{1, 0});
  const Operand self = translator.operand(call, "self");
  const auto* value = std::get_if<torch::jit::Value*>(&self);
  if (!swaps || value == nullptr) return false;
  const c10::IValue known = jit::GraphWriter::constant_of(*value);
  if (!known.isTensor() || known.toTensor().dim() != 2) return false;
  Renamed arguments(translator, call);
  arguments.take("self").write("aten::t");
  const Operand result = translator.operand(call.node.outputs[0], call.scope);
  translator.remember_transpose(std::get<torch::jit::Value*>(result), *value);
  return true;
}

bool linear(Translator& translator, const Call& call) {
  const bool with_bias = call.name == "aten::addmm";
  const Operand weight = translator.operand(call, "mat2");
  torch::jit::Value* plain = translator.transposed(weight);
  if (plain == nullptr || !is_one(call.find("alpha")) || !is_one(call.find("beta"))) return false;
  Renamed arguments(translator, call);
  if (with_bias) {
    const Operand bias = translator.operand(call, "self");
    const auto* value = std::get_if<torch::jit::Value*>(&bias);
    const c10::IValue known = value == nullptr ? c10::IValue() : jit::GraphWriter::constant_of(*value);
    if (!known.isTensor() || known.toTensor().dim() != 1) return false;
    arguments.take("input", "mat1").set("weight", plain).set("bias", bias).write("aten::linear");
  } else {
    arguments.take("input", "self").set("weight", plain).write("aten::linear");
  }
  return true;
}

// Without the promise that indices are in range, which a file cannot be believed.
bool safe_index(Translator& translator, const Call& call) {
  Renamed(translator, call).take("self").take("indices").write("aten::index.Tensor");
  return true;
}

bool plain_view(Translator& translator, const Call& call) {
  Renamed(translator, call).take("self").take("shape", "size").write("aten::reshape");
  return true;
}

bool copy(Translator& translator, const Call& call) {
  Renamed(translator, call).take("self").write("aten::clone");
  return true;
}

struct Row {
  std::string_view name;
  bool (*write)(Translator& translator, const Call& call);
};

constexpr std::array kRows = {
    Row{"aten::convolution", convolution},
    Row{"aten::_native_batch_norm_legit_no_training", batch_norm},
    Row{"aten::_native_batch_norm_legit", batch_norm},
    Row{"aten::native_batch_norm", batch_norm},
    Row{"aten::native_layer_norm", layer_norm},
    Row{"aten::native_group_norm", group_norm},
    Row{"aten::max_pool2d_with_indices", max_pool},
    Row{"aten::_softmax", softmax},
    Row{"aten::_log_softmax", softmax},
    Row{"aten::_adaptive_avg_pool2d", adaptive_pool},
    Row{"aten::_scaled_dot_product_flash_attention_for_cpu", attention},
    Row{"aten::_scaled_dot_product_flash_attention", attention},
    Row{"aten::_scaled_dot_product_efficient_attention", attention},
    Row{"aten::permute", transpose},
    Row{"aten::t", transpose},
    Row{"aten::addmm", linear},
    Row{"aten::mm", linear},
    Row{"aten::_unsafe_index", safe_index},
    Row{"aten::_unsafe_view", plain_view},
    Row{"aten::lift_fresh_copy", copy},
};

}  // namespace

bool is_composite(std::string_view name) {
  return std::any_of(kRows.begin(), kRows.end(), [&](const Row& row) { return row.name == name; });
}

bool write_composite(Translator& translator, Call& call) {
  for (const Row& row : kRows) {
    if (row.name != call.name) continue;
    return !call.node.outputs.empty() && call.node.outputs[0].kind == Kind::tensor &&
           only_first_used(translator, call) && row.write(translator, call);
  }
  return false;
}

}  // namespace ptrun::exported
