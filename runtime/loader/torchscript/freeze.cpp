// forward as one flat graph. LibTorch's own freeze_module runs every operator whose inputs are constants, so a file
// could make it allocate anything; here only numbers, text and lists of them are folded.
#include <torch/csrc/jit/api/function_impl.h>
#include <torch/csrc/jit/ir/alias_analysis.h>
#include <torch/csrc/jit/ir/constants.h>
#include <torch/csrc/jit/passes/constant_propagation.h>
#include <torch/csrc/jit/passes/dead_code_elimination.h>
#include <torch/csrc/jit/passes/inliner.h>
#include <torch/csrc/jit/passes/lower_tuples.h>
#include <torch/csrc/jit/passes/peephole_non_tensor.h>

#include <map>
#include <unordered_map>
#include <utility>

#include "core/text.h"
#include "loader/torchscript/program.h"

namespace ptrun::torchscript {
namespace {

using torch::jit::Block;
using torch::jit::Graph;
using torch::jit::Node;
using torch::jit::Value;
using ObjectPtr = c10::intrusive_ptr<c10::ivalue::Object>;

// Replaces reads of attributes by constants. An attribute that forward assigns is followed in program order: a read
// after the assignment gets the assigned value, one before it the value in the file. So each call behaves like the
// first one after loading, whatever ran before it or runs beside it.
class Freezer {
 public:
  Freezer(Graph& graph, Value* self, ObjectPtr root) : graph_(graph), self_(self), root_(std::move(root)) {}

  // One walk. False when it stopped at a branch that assigns an attribute, which folding may still remove.
  bool walk() {
    assigned_.clear();
    // Folding destroys nodes, and a new one may stand at an old one's address.
    objects_ = {{self_, root_}};
    for (auto at = graph_.block()->nodes().begin(); at != graph_.block()->nodes().end();) {
      Node* node = *at;
      ++at;
      for (Block* inner : node->blocks()) {
        if (assigns(inner)) return stop("forward assigns an attribute in a branch or loop");
      }
      for (Block* inner : node->blocks()) read_block(inner);
      if (failed_) return false;
      visit(node);
      if (node->kind() == c10::prim::SetAttr && objects_.count(node->input(0)) != 0) {
        assigned_[key(node)] = node->input(1);
      }
      if (failed_) return false;
    }
    return true;
  }

  // After a walk that came to the end: what only this class needed goes.
  void finish() {
    while (graph_.outputs().size() > 1) graph_.eraseOutput(graph_.outputs().size() - 1);
    for (auto at = graph_.block()->nodes().begin(); at != graph_.block()->nodes().end();) {
      Node* node = *at;
      ++at;
      if (node->kind() == c10::prim::SetAttr && objects_.count(node->input(0)) != 0) node->destroy();
    }
  }

  bool failed() const { return failed_; }
  const std::string& why_not() const { return why_not_; }

 private:
  using Key = std::pair<const c10::ivalue::Object*, std::string>;

  Key key(const Node* node) const { return {objects_.at(node->input(0)).get(), node->s(c10::attr::name)}; }

  bool stop(std::string why) {
    why_not_ = std::move(why);
    return false;
  }

  bool assigns(const Block* block) const {
    for (const Node* node : block->nodes()) {
      if (node->kind() == c10::prim::SetAttr && node->input(0)->node()->kind() != c10::prim::CreateObject) return true;
      for (const Block* inner : node->blocks()) {
        if (assigns(inner)) return true;
      }
    }
    return false;
  }

  void read_block(Block* block) {
    for (auto at = block->nodes().begin(); at != block->nodes().end();) {
      Node* node = *at;
      ++at;
      for (Block* inner : node->blocks()) read_block(inner);
      visit(node);
    }
  }

  // One constant for an attribute, at the top: were there one for each read, a write to it would change one of them.
  std::optional<Value*> constant(const Key& attribute, const c10::IValue& value) {
    const auto known = constants_.find(attribute);
    if (known != constants_.end()) return known->second;
    const torch::jit::WithInsertPoint guard(*graph_.nodes().begin());
    const std::optional<Value*> made = torch::jit::tryInsertConstant(graph_, constant_form(value));
    if (made.has_value()) {
      constants_.emplace(attribute, *made);
      graph_.registerOutput(*made);  // keeps it alive and its writes in sight while branches fold; see finish()
    }
    return made;
  }

  static c10::IValue constant_form(const c10::IValue& value) {
    if (value.isTensor() && value.toTensor().defined() && value.toTensor().requires_grad()) {
      return value.toTensor().detach();
    }
    // Packed weights; a strong reference would tie the graph to the whole program.
    if (value.isCustomClass()) return value.toObject()->copy_to_weak_compilation_ref();
    return value;
  }

  void visit(Node* node) {
    const bool cast = node->kind() == c10::prim::unchecked_cast || node->kind() == c10::prim::unchecked_unwrap_optional;
    if (node->kind() == c10::prim::GetAttr) read(node);
    if (cast && objects_.count(node->input(0)) != 0) node->output()->replaceAllUsesWith(node->input(0));
  }

  void read(Node* node) {
    const auto object = objects_.find(node->input(0));
    if (object == objects_.end() || !node->hasUses()) return;  // of an object that forward itself makes
    const auto assigned = assigned_.find(key(node));
    if (assigned != assigned_.end()) {
      node->output()->replaceAllUsesWith(assigned->second);
      return;
    }
    const c10::IValue value = object->second->getAttr(node->s(c10::attr::name));
    if (value.isObject() && !value.isCustomClass()) {
      objects_.emplace(node->output(), value.toObject());
      // It is there, so a declared Optional says less: "is None" folds.
      node->output()->setType(value.type());
      return;
    }
    const std::optional<Value*> made = constant(key(node), value);
    if (!made.has_value()) {
      failed_ = true;
      stop("the attribute '" + printable(node->s(c10::attr::name)) + "' has no constant form");
      return;
    }
    // An empty list or a None says less than the attribute's declared type.
    if (!(*made)->type()->isSubtypeOf(*node->output()->type())) (*made)->setType(node->output()->type());
    node->output()->replaceAllUsesWith(*made);
  }

  Graph& graph_;
  Value* self_;
  ObjectPtr root_;
  std::unordered_map<const Value*, ObjectPtr> objects_;
  std::map<Key, Value*> assigned_;
  std::map<Key, Value*> constants_;
  bool failed_ = false;
  std::string why_not_;
};

// Uses of an attribute's object must be gone once every attribute is a constant.
void remove_attribute_reads(Block* block) {
  for (auto at = block->nodes().rbegin(); at != block->nodes().rend();) {
    Node* node = *at;
    ++at;
    for (Block* inner : node->blocks()) remove_attribute_reads(inner);
    if (node->kind() == c10::prim::GetAttr && !node->hasUses()) node->destroy();
  }
}

void find_constants(Block* block, std::vector<Node*>& found) {
  for (Node* node : block->nodes()) {
    if (node->kind() == c10::prim::Constant && !node->outputs().empty()) found.push_back(node);
    for (Block* inner : node->blocks()) find_constants(inner, found);
  }
}

void use_copy(Graph& graph, Value* original, Node* after) {
  const torch::jit::WithInsertPoint guard(after == nullptr ? *graph.nodes().begin() : after->next());
  Value* copy = graph.insert(c10::aten::clone, {original});
  original->replaceAllUsesAfterNodeWith(copy->node(), copy);
}

// A buffer that forward writes into is copied for each call, for the same reason as an assigned attribute. False when
// something else than a tensor is written.
bool protect_constants(Graph& graph, const torch::jit::AliasDb& aliases) {
  std::vector<Node*> constants;
  find_constants(graph.block(), constants);
  for (Node* node : constants) {
    if (!aliases.hasWriters(node->output())) continue;
    if (node->output()->type()->kind() != c10::TypeKind::TensorType) return false;
    use_copy(graph, node->output(), node);
  }
  return true;
}

// Inputs after the images that have a default (targets = None) take it.
bool bind_defaults(Graph& graph, const c10::FunctionSchema& schema) {
  std::size_t kept = 1;
  while (kept < schema.arguments().size() && !schema.arguments()[kept].default_value().has_value()) ++kept;
  for (std::size_t i = graph.inputs().size(); i-- > kept;) {
    Value* input = graph.inputs()[i];
    if (input->hasUses()) {
      const torch::jit::WithInsertPoint guard(*graph.nodes().begin());
      std::optional<Value*> made = torch::jit::tryInsertConstant(graph, *schema.arguments()[i].default_value());
      if (!made.has_value()) return false;
      (*made)->setType(input->type());
      input->replaceAllUsesWith(*made);
    }
    graph.eraseInput(i);
  }
  return true;
}

// A model that writes into its input must not write into the caller's batch.
void protect_inputs(Graph& graph, const torch::jit::AliasDb& aliases) {
  for (Value* input : graph.inputs()) {
    if (input->type()->kind() == c10::TypeKind::TensorType && aliases.hasWriters(input))
      use_copy(graph, input, nullptr);
  }
}

// A tuple of one tensor and Nones is that tensor: scripted GoogLeNet and Inception return their auxiliary outputs,
// which only training has, beside the scores.
void drop_absent_outputs(Graph& graph) {
  if (graph.outputs().size() != 1) return;
  const Node* made = graph.outputs()[0]->node();
  if (made->kind() != c10::prim::TupleConstruct || made->inputs().size() < 2) return;
  if (made->input(0)->type()->kind() != c10::TypeKind::TensorType) return;
  for (std::size_t i = 1; i < made->inputs().size(); ++i) {
    if (!made->input(i)->mustBeNone()) return;
  }
  graph.registerOutput(made->input(0));
  graph.eraseOutput(0);
}

}  // namespace

std::shared_ptr<Graph> freeze_forward(const torch::jit::Module& module, std::string& why_not) {
  // Branches that fold away between walks: a flag that guards its own assignment, nested a few times.
  constexpr int kWalks = 8;
  const torch::jit::Method forward = module.get_method("forward");
  std::shared_ptr<Graph> graph = torch::jit::toGraphFunction(forward.function()).graph()->copy();
  torch::jit::Inline(*graph);
  if (!bind_defaults(*graph, forward.function().getSchema())) {
    why_not = "forward has a default argument without a constant form";
    return nullptr;
  }
  Freezer freezer(*graph, graph->inputs()[0], module._ivalue());
  bool complete = false;
  for (int i = 0; i < kWalks && !complete && !freezer.failed(); ++i) {
    complete = freezer.walk();
    if (complete) break;
    torch::jit::PeepholeOptimizeNonTensor(graph);  // "is None" of a list that the file holds
    torch::jit::ConstantPropagationImmutableTypes(graph);
  }
  if (!complete) {
    why_not = freezer.why_not();
    return nullptr;
  }
  freezer.finish();
  torch::jit::ConstantPropagationImmutableTypes(graph);
  remove_attribute_reads(graph->block());
  torch::jit::LowerSimpleTuples(graph);  // tuples that inlined calls handed to forward
  drop_absent_outputs(*graph);
  torch::jit::EliminateDeadCode(graph);
  if (graph->inputs()[0]->hasUses()) {
    why_not = "forward uses the module itself as a value, or calls through an interface";
    return nullptr;
  }
  graph->eraseInput(0);
  const torch::jit::AliasDb aliases(graph);
  protect_inputs(*graph, aliases);
  if (!protect_constants(*graph, aliases)) {
    why_not = "forward changes a list or dict of the module in place";
    return nullptr;
  }
  return graph;
}

}  // namespace ptrun::torchscript
