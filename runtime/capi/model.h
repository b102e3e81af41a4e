#pragma once

#include <utility>

#include "capi/handles.h"
#include "ptrun/model.h"

namespace ptrun::capi {

struct ModelHandle : Handle {
  static constexpr HandleKind kKind = HandleKind::model;
  explicit ModelHandle(Model loaded) : Handle(kKind), model(std::move(loaded)) {}
  const Model model;
};

}  // namespace ptrun::capi
