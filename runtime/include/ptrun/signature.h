#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace ptrun {

// Element types by PyTorch's names; `unknown` where a file does not say.
enum class DType {
  unknown,
  boolean,
  uint8,
  int8,
  uint16,
  int16,
  uint32,
  int32,
  uint64,
  int64,
  float16,
  bfloat16,
  float32,
  float64,
  complex32,
  complex64,
  complex128,
  float8_e4m3fn,
  float8_e5m2,
  float8_e4m3fnuz,
  float8_e5m2fnuz,
  float8_e8m0fnu,
  float4_e2m1fn_x2,
  qint8,
  quint8,
  qint32,
  quint4x2,
  quint2x4,
};

// How a module takes its images.
enum class InputForm {
  batched_nchw,  // one tensor [N, 3, H, W]
  list_chw,      // a list of tensors [3, H, W] of any sizes (torchvision detection)
  named,         // several tensors or a dict by name
};

// One size of a tensor, or its bounds.
struct Dimension {
  std::int64_t size = -1;     // -1: dynamic
  std::int64_t minimum = 1;   // bounds of a dynamic dimension
  std::int64_t maximum = -1;  // -1: no bound known
  bool batch = false;         // counts images
  std::int64_t multiple = 1;  // a dynamic size is a multiple of this
};

// What is known about an input or output before it is there.
struct TensorSpec {
  std::string name;
  DType dtype = DType::float32;
  std::vector<Dimension> dimensions;  // empty: unknown rank
  double minimum = 0.0;               // value range that the module expects, when has_range
  double maximum = 0.0;
  bool has_range = false;
};

// A node of the output tree: a leaf with `spec`, or children in order.
struct OutputNode {
  // A leaf, or what holds the children.
  enum class Kind { tensor, tuple, list, dict, other };
  Kind kind = Kind::tensor;
  std::string name;  // key in a dict, field of a named tuple, else empty
  TensorSpec spec;   // for a tensor
  std::vector<OutputNode> children;
};

// What goes into a module and what comes out.
struct Signature {
  InputForm form = InputForm::batched_nchw;
  std::vector<TensorSpec> inputs;
  OutputNode output;
  // The module resizes and normalises by itself: it gets 0..1 float images as they are, never twice prepared.
  bool preprocesses_itself = false;
  bool batchable = true;  // false: one image a call, a traced constant fixed the batch
};

}  // namespace ptrun
