// One function for each type of the public headers that programs hold by value, so that a library with debug
// information says how they lie in memory: what scripts/check_abi.sh compares. (ptrun/torch.h is missing: it has
// LibTorch's own.)
#include "ptrun/convert.h"
#include "ptrun/error.h"
#include "ptrun/export.h"
#include "ptrun/graph.h"
#include "ptrun/inspect.h"
#include "ptrun/job.h"
#include "ptrun/models.h"
#include "ptrun/modules.h"
#include "ptrun/results.h"

namespace ptrun {

#define PTRUN_ABI_OF(Type) \
  PTRUN_API void abi_of(const Type* /*value*/) {}
PTRUN_ABI_OF(Error)
PTRUN_ABI_OF(LoadOptions)  // LoadProgress, Cancellation, Labels, PresetLayer, ModelTables
PTRUN_ABI_OF(Model)
PTRUN_ABI_OF(ResolvedPreset)
PTRUN_ABI_OF(Signature)
PTRUN_ABI_OF(PredictOptions)
PTRUN_ABI_OF(Predictor)
PTRUN_ABI_OF(Input)
PTRUN_ABI_OF(Outcome)  // Prediction with all its parts, Failure
PTRUN_ABI_OF(StageTimes)
PTRUN_ABI_OF(ModelTimes)
PTRUN_ABI_OF(DeviceInfo)
PTRUN_ABI_OF(InspectOptions)
PTRUN_ABI_OF(Inspection)
PTRUN_ABI_OF(ConvertOptions)
PTRUN_ABI_OF(ConvertSummary)
PTRUN_ABI_OF(SourceOptions)
PTRUN_ABI_OF(InputList)
PTRUN_ABI_OF(OutputFormatInfo)
PTRUN_ABI_OF(JobOptions)
PTRUN_ABI_OF(JobSummary)
PTRUN_ABI_OF(Progress)
PTRUN_ABI_OF(ResultFileOptions)
PTRUN_ABI_OF(ResultFile)
PTRUN_ABI_OF(ModelTables)
PTRUN_ABI_OF(Value)
PTRUN_ABI_OF(Weights)
PTRUN_ABI_OF(GraphBuilder)
PTRUN_ABI_OF(Conv2dOptions)
PTRUN_ABI_OF(Pool2dOptions)
PTRUN_ABI_OF(AttentionOptions)
PTRUN_ABI_OF(PickledValue)
PTRUN_ABI_OF(PickledModule)
PTRUN_ABI_OF(ModuleWriter)
PTRUN_ABI_OF(ModuleRule)

}  // namespace ptrun
