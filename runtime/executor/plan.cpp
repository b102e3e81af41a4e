#include "executor/plan.h"

#include "executor/cuda_module.h"

namespace ptrun {

const std::vector<PlanKind>& plan_kinds() {
  static const std::vector<PlanKind> kKinds = {
      {"cpu_fused", Device::Kind::cpu, Precision::fp32, accepts_graph, make_fused_plan, true},
      {"cpu_onednn", Device::Kind::cpu, Precision::fp32, accepts_graph, make_onednn_plan, true},
      {"cpu_packed", Device::Kind::cpu, Precision::fp32, accepts_graph, make_packed_plan, true},
      {"cpu_fused_bf16", Device::Kind::cpu, Precision::bf16, accepts_graph, make_fused_bf16_plan, true},
      {"cpu_onednn_bf16", Device::Kind::cpu, Precision::bf16, accepts_graph, make_onednn_bf16_plan, true},
      {"cpu_packed_bf16", Device::Kind::cpu, Precision::bf16, accepts_graph, make_packed_bf16_plan, true},
      {"cpu_mixed", Device::Kind::cpu, Precision::automatic, accepts_graph, make_mixed_plan, true},
      {"cpu_int8_bf16", Device::Kind::cpu, Precision::int8, accepts_graph, make_int8_bf16_plan, true},
      {"cpu_int8", Device::Kind::cpu, Precision::int8, accepts_graph, make_int8_plan, true},
      {"plain", Device::Kind::cpu, Precision::fp32, accepts_graph, make_plain_plan},
      {"script", Device::Kind::cpu, Precision::fp32, accepts_script, make_script_plan},
      {"native", Device::Kind::cpu, Precision::fp32, accepts_native, make_native_plan},
      {"cuda_eager", Device::Kind::cuda, Precision::fp32, accepts_cuda, make_cuda_plan},
  };
  return kKinds;
}

}  // namespace ptrun
