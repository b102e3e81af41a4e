// What a ModuleWriter holds, for the loader of pickled modules and for inspect.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "archive/pickled_module.h"
#include "graph/builder_impl.h"
#include "ptrun/models.h"

namespace ptrun {

struct ModuleWriter::Impl {
  const ModuleSource* source;
  GraphBuilder builder;
  TensorProvider read;  // for numbers(), also where the builder has no values
  std::unordered_map<std::string_view, const ModuleRule*> rules;
  ModuleFacts facts;
  std::vector<archive::NodeId> nodes;  // modules whose rules are running
  std::size_t calls = 0;

  void check_hooks(const PickledModule& module, const ModuleRule& rule) const;
  [[noreturn]] void fail_unknown() const;
  Value normed_weight(const PickledModule& module, const std::string& name, int rank);
};

// `provider` empty: the graph gets no values, which tells whether the rules cover the tree. `source` and `tables` must
// outlive the writer.
ModuleWriter make_module_writer(const ModuleSource& source, const ModelTables& tables, TensorProvider provider,
                                TensorProvider read);

// Runs the rule of the root on a new input "images" and ends with the graph's outputs named and registered. Returns
// them.
Values write_tree(ModuleWriter& writer, const ModuleSource& source);

}  // namespace ptrun
