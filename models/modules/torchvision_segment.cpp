// torchvision's segmentation networks: torchvision/models/segmentation/{_utils,deeplabv3,lraspp}.py. Results are named
// "out" and "aux", [N, classes, H, W] at the size of the image.
#include <algorithm>
#include <string>

#include "modules/modules.h"
#include "modules/rule_tools.h"

namespace ptrun::models {
namespace {

Value named(const PickledModule& m, const Values& values, const std::string& name) {
  const auto found = std::find(values.names.begin(), values.names.end(), name);
  if (found == values.names.end()) m.fail("has a backbone that gives no '" + name + "'");
  return values.items[static_cast<std::size_t>(found - values.names.begin())];
}

Values segmentation(ModuleWriter& w, const PickledModule& m, const Values& in) {
  const Value image = w.only(m, in);
  const Values features = w.forward(m.child("backbone"), in);
  Values result;
  result.items.push_back(resize_like(w, w.forward(m.child("classifier"), named(m, features, "out")), image));
  result.names.emplace_back("out");
  if (const auto aux = m.find("aux_classifier")) {
    result.items.push_back(resize_like(w, w.forward(*aux, named(m, features, "aux")), image));
    result.names.emplace_back("aux");
  }
  w.facts().task = Task::segment;
  return result;
}

Value aspp_pooling(ModuleWriter& w, const PickledModule& m, Value x) { return resize_like(w, w.forward_all(m, x), x); }

Value aspp(ModuleWriter& w, const PickledModule& m, Value x) {
  std::vector<Value> parts;
  for (const PickledModule& part : m.child("convs").children()) parts.push_back(w.forward(part, x));
  return w.forward(m.child("project"), w.graph().cat(parts, 1));
}

Values lraspp(ModuleWriter& w, const PickledModule& m, const Values& in) {
  const Value image = w.only(m, in);
  Values result(resize_like(w, w.only(m, w.forward(m.child("classifier"), w.forward(m.child("backbone"), in))), image));
  result.names.emplace_back("out");
  w.facts().task = Task::segment;
  return result;
}

Values lraspp_head(ModuleWriter& w, const PickledModule& m, const Values& in) {
  GraphBuilder& g = w.graph();
  const Value low = named(m, in, "low");
  const Value high = named(m, in, "high");
  const Value x = g.mul(w.forward(m.child("cbr"), high), w.forward(m.child("scale"), high));
  return g.add(w.forward(m.child("low_classifier"), low),
               w.forward(m.child("high_classifier"), resize_like(w, x, low)));
}

}  // namespace

Rules torchvision_segment() {
  return {
      {{"torchvision.models.segmentation.deeplabv3.DeepLabV3", "torchvision.models.segmentation.fcn.FCN",
        "torchvision.models.segmentation._utils._SimpleSegmentationModel"},
       segmentation},
      {{"torchvision.models.segmentation.deeplabv3.ASPPPooling"}, one_tensor<aspp_pooling>},
      {{"torchvision.models.segmentation.deeplabv3.ASPP"}, one_tensor<aspp>},
      {{"torchvision.models.segmentation.lraspp.LRASPP"}, lraspp},
      {{"torchvision.models.segmentation.lraspp.LRASPPHead"}, lraspp_head},
  };
}

}  // namespace ptrun::models
