// A batch padded to a plan's size, and its outputs cut back.
#pragma once

#include <ATen/core/ivalue.h>

#include <cstdint>
#include <functional>

namespace ptrun {

// `batch` [n, ...] with its last image repeated up to `size` images: real values cannot raise what zeros may (a
// division by a norm of 0). `batch` itself when n == size.
at::Tensor pad_batch(const at::Tensor& batch, std::int64_t size);

// The tree of tensors, tuples, lists and dicts with every tensor replaced by what `change` makes of it.
c10::IValue map_tensors(const c10::IValue& tree, const std::function<at::Tensor(const at::Tensor&)>& change);

// Every tensor in the tree of tensors, tuples, lists and dicts whose first dimension is `size`, cut to `count`.
c10::IValue cut_batch(const c10::IValue& output, std::int64_t size, std::int64_t count);

}  // namespace ptrun
