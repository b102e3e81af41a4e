#include "graph/silence.h"

#include <c10/util/Exception.h>

namespace ptrun::jit {
namespace {

class DroppedWarnings final : public c10::WarningHandler {
 public:
  void process(const c10::Warning& /*warning*/) override {}
};

}  // namespace

struct Silence::Impl {
  DroppedWarnings handler;
  c10::WarningUtils::WarningHandlerGuard guard{&handler};
};

Silence::Silence() : impl_(std::make_unique<Impl>()) {}
Silence::~Silence() = default;

}  // namespace ptrun::jit
