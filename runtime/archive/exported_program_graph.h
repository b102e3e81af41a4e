// The graph part of a .pt2 program: JSON -> nodes.
#pragma once

#include "archive/exported_program.h"
#include "archive/exported_program_json.h"

namespace ptrun::archive::exported {

// By the schema's own enumeration (7 is float); unknown for numbers that it lacks.
DType scalar_type(std::int64_t number);

Argument read_argument(JsonReader& reader, const nlohmann::json& json);
TensorMeta read_tensor_meta(const JsonReader& reader, const nlohmann::json& json);
Graph read_graph(JsonReader& reader, const nlohmann::json& json);
// The output structure written by torch.utils._pytree.treespec_dumps; nothing for a version or form not known.
std::optional<Tree> read_tree(const std::string& text, const nlohmann::json* named_tuples, const JsonReader& reader,
                              const Limits& limits);

}  // namespace ptrun::archive::exported
