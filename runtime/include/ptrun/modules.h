// Whole pickled modules (torch.save(model)) read as data, and the forward rules that make them run. The file holds a
// tree of Python objects with their classes, attributes and weights; forward functions are Python code and not in it.
// A rule is that function for one class, written with a GraphBuilder:
//
//   Value basic_block(ModuleWriter& w, const PickledModule& m, Value x) {
//     Value y = w.forward(m.child("relu"), w.forward(m.child("bn1"), w.forward(m.child("conv1"), x)));
//     y = w.forward(m.child("bn2"), w.forward(m.child("conv2"), y));
//     if (const auto downsample = m.find("downsample")) x = w.forward(*downsample, x);
//     return w.forward(m.child("relu"), w.graph().add(y, x));
//   }
//
// Views and values belong to the load that made them; one load, one thread.
#pragma once

#include <array>
#include <cstdint>
#include <initializer_list>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "ptrun/export.h"
#include "ptrun/graph.h"
#include "ptrun/prediction.h"
#include "ptrun/preset.h"

namespace ptrun {

class PickledModule;
struct ModuleSource;

// Any value inside the file: what an attribute of a module holds. A view, cheap to copy; empty when there is nothing.
class PTRUN_API PickledValue {
 public:
  // `object` is an instance of a class that is neither a module nor a mapping, `global` the name of a class or
  // function.
  enum class Type { absent, none, boolean, integer, real, text, sequence, mapping, tensor, module, object, global };

  PickledValue() = default;
  PickledValue(const ModuleSource* source, std::uint32_t node, std::string place);  // Made by the loader.

  Type type() const;  // What it is.
  // False when there is no such value; None is a value.
  explicit operator bool() const { return source_ != nullptr; }
  // False for None and where there is no value.
  bool given() const;
  // Nothing for another type. A boolean counts as an integer, both count as a real, as in Python.
  std::optional<bool> boolean() const;
  std::optional<std::int64_t> integer() const;  // An int or bool.
  std::optional<double> real() const;           // A float, int or bool.
  std::optional<std::string> text() const;      // A str.
  // Elements of a list, tuple, set or torch.Size in order; empty for another type.
  std::vector<PickledValue> items() const;
  // Keys and values of a dict in order; empty for another type.
  std::vector<std::pair<PickledValue, PickledValue>> entries() const;
  // The class of an object or module ("argparse.Namespace"), the dotted name of a global; else empty.
  std::string class_name() const;
  // The name of a method bound to an object of the file, as instance attributes may hold ("forward_fuse"); else empty.
  std::string method() const;
  // Attribute `name` of an object, value of text key `name` in a dict; absent where there is none.
  PickledValue attribute(std::string_view name) const;
  // The module that this value is; its place is where the value stands ("model.0.cv1", "model.names").
  std::optional<PickledModule> module() const;
  // Where it stands, for messages.
  const std::string& place() const noexcept { return place_; }

 private:
  friend class PickledModule;
  const ModuleSource* source_ = nullptr;
  std::uint32_t node_ = 0;
  std::string place_;
};

// One torch.nn.Module of the tree. Getters throw Error(bad_model) naming class, place and attribute where the value is
// absent or of another type; with a default they answer it for an absent attribute, which older versions did not save.
class PTRUN_API PickledModule {
 public:
  PickledModule(const ModuleSource* source, std::uint32_t node, std::string place);  // Made by the loader.

  // "torchvision.models.resnet.BasicBlock"
  const std::string& class_name() const noexcept { return class_name_; }
  // "BasicBlock"
  std::string_view short_class() const noexcept;
  // Dotted names from the root, "layer1.0"; empty for the root itself.
  const std::string& place() const noexcept { return place_; }
  // Last component of the place.
  std::string_view name() const noexcept;

  // An attribute of the instance; absent where there is none. Does not look at children, parameters and buffers.
  PickledValue attribute(std::string_view name) const;
  // True when attribute, child, parameter or buffer `name` exists and is not None.
  bool has(std::string_view name) const;

  // A number, a truth value, a text.
  std::int64_t integer(std::string_view name, std::optional<std::int64_t> fallback = {}) const;
  double real(std::string_view name, std::optional<double> fallback = {}) const;            // The same, as a number.
  bool boolean(std::string_view name, std::optional<bool> fallback = {}) const;             // True or False.
  std::string text(std::string_view name, std::optional<std::string> fallback = {}) const;  // A str.
  // A list, tuple or torch.Size of integers of any length; one integer is a list of one.
  std::vector<std::int64_t> integers(std::string_view name,
                                     std::optional<std::vector<std::int64_t>> fallback = {}) const;
  // Exactly `count` integers, as kernel_size=(3, 3); one integer stands for all of them.
  std::vector<std::int64_t> sizes(std::string_view name, std::size_t count,
                                  std::optional<std::int64_t> fallback = {}) const;

  // Modules registered in _modules, in order; those that are None are left out.
  std::vector<PickledModule> children() const;
  // Child `name`: nothing when absent or None, or as an error.
  std::optional<PickledModule> find(std::string_view name) const;
  PickledModule child(std::string_view name) const;  // Throws bad_model when it is absent.
  // Parameters, buffers (also those that state_dict() leaves out) and tensor attributes of this module and all below.
  Weights weights() const;

  // "Conv2d at features.0" for messages.
  std::string title() const;
  // Throws bad_model: "FILE: TITLE PROBLEM".
  [[noreturn]] void fail(const std::string& problem) const;
  // Throws unsupported in the same form, for what a sound file asks of ptrun and ptrun cannot do.
  [[noreturn]] void refuse(const std::string& problem) const;

 private:
  friend class ModuleWriter;
  PickledValue require(std::string_view name, bool has_fallback) const;
  [[noreturn]] void fail_type(std::string_view name, const std::string& expected) const;

  const ModuleSource* source_;
  std::uint32_t node_;
  std::string place_;
  std::string class_name_;
};

// What a module takes or gives: one tensor, or a list, tuple or dict of tensors in order.
struct Values {
  Values() = default;
  // One tensor.
  Values(Value value) : items{value} {}  // NOLINT(google-explicit-constructor)
  // Several, in order.
  Values(std::vector<Value> values) : items(std::move(values)) {}  // NOLINT(google-explicit-constructor)
  // The same.
  Values(std::initializer_list<Value> values) : items(values) {}

  std::vector<Value> items;
  std::vector<std::string> names;  // of a dict, as many as items; else empty
};

// What rules find out about the whole model on their way; empty members leave the choice to the loader.
struct ModuleFacts {
  std::optional<Task> task;                             // else classify for one output [N, K], tensors for others
  std::string architecture;                             // "yolov8n"
  PresetLayer file_preset;                              // what the file itself says
  PresetLayer assumed_preset;                           // what most files of its kind use
  std::optional<std::int64_t> input_channels;           // else tried: what the first layer takes, then 3, 1, 4
  bool rotated_boxes = false;                           // of a detector: an angle follows the classes
  std::array<std::int64_t, 2> keypoint_shape = {0, 0};  // of its keypoints: how many, and numbers a point (2 or 3)
  std::optional<int> trial_size;  // pixels; a height and width that fit, small, for the loader's trial run
};

// Writes the graph of a tree: runs rules, follows children. Made by the loader.
class PTRUN_API ModuleWriter {
 public:
  struct Impl;  // runtime/loader only
  explicit ModuleWriter(std::unique_ptr<Impl> impl);
  ~ModuleWriter();
  ModuleWriter(const ModuleWriter&) = delete;
  ModuleWriter& operator=(const ModuleWriter&) = delete;

  GraphBuilder& graph() noexcept;  // Writes the graph.
  ModuleFacts& facts() noexcept;   // Found out so far.

  // What `child` gives for `inputs`, by the rule of its class. Throws unsupported, listing all classes of the tree
  // without a rule and where they stand, when it has none; unsupported for hooks and replaced forward functions, which
  // are Python code; bad_model for a module inside itself; limit_exceeded when nested or repeated without end.
  Values forward(const PickledModule& child, const Values& inputs);
  // The same for one tensor in and one out; any other number of results is an error.
  Value forward(const PickledModule& child, Value input);
  // Children in order, each fed with what the one before gave.
  Value forward_all(const PickledModule& parent, Value input);

  // The one tensor of `inputs`, or an error that names `module`.
  Value only(const PickledModule& module, const Values& inputs) const;

  // Tensor `name` (parameter, buffer or tensor attribute) as a constant, float32 for every floating type. Weights that
  // weight_norm, spectral_norm or prune keep in parts are put together. `rank`: number of dimensions it must have,
  // -1: any. Throws bad_model when it is absent or has another rank.
  Value parameter(const PickledModule& module, std::string_view name, int rank = -1);
  // The same, None where it is absent or None.
  Argument optional_parameter(const PickledModule& module, std::string_view name, int rank = -1);
  // Numbers needed while the graph is written, from an attribute, parameter or buffer that holds a number, a list of
  // numbers or a tensor of at most 4096 elements. Throws bad_model for anything else.
  std::vector<double> numbers(const PickledModule& module, std::string_view name);

 private:
  std::unique_ptr<Impl> impl_;
};

// The forward function of some Python classes.
struct ModuleRule {
  // "torch.nn.modules.conv.Conv2d"; several when a class moved, or when classes share one forward function.
  std::vector<std::string_view> classes;
  Values (*write)(ModuleWriter& writer, const PickledModule& module, const Values& inputs) = nullptr;
  // A method of the class that may stand in place of its forward, which the rule follows as well: "forward_fuse".
  std::string_view other_forward = {};
};

// Makes a rule's `write` out of a function of one tensor that returns one tensor:
//   {{"torch.nn.modules.activation.ReLU"}, one_tensor<relu>}
template <Value (*Function)(ModuleWriter&, const PickledModule&, Value)>
Values one_tensor(ModuleWriter& writer, const PickledModule& module, const Values& inputs) {
  return Function(writer, module, writer.only(module, inputs));
}

}  // namespace ptrun
