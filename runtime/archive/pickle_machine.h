// The pickle machine: one pass over the opcodes, no recursion, nothing called. For pickle_*.cpp only.
#pragma once

#include <algorithm>
#include <cstdint>
#include <limits>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "archive/fail.h"
#include "archive/pickle.h"

namespace ptrun::archive {

class PickleReader {
  using Type = PickleNode::Type;
  using Items = PickleNode::Items;

  static constexpr std::size_t kReadAhead = 64U << 10U;
  static constexpr int kNewestProtocol = 5;
  static constexpr std::uint64_t kSmallMemo = 255;  // indexes that cost nothing
  static constexpr std::size_t kMarksPerLevel = 4;

 public:
  PickleReader(const ByteSource* source, std::uint64_t base, std::uint64_t end, std::string subject, std::string part,
               const Limits& limits)
      : source_(source),
        base_(base),
        end_(end),
        subject_(std::move(subject)),
        part_(std::move(part)),
        limits_(limits) {}

  void give_bytes(std::string bytes) {
    check_length(bytes.size());
    pickle_.bytes = std::move(bytes);
  }

  // Returns the number of bytes read.
  std::uint64_t run() {
    while (!stopped_) {
      ++opcodes_;
      opcode_at_ = at_;
      step(byte());
    }
    if (!marks_.empty()) bad("a MARK is open at the end");
    if (stack_.size() != 1) bad(stack_.size(), " values are left at the end, expected 1");
    pickle_.root = stack_.back();
    return at_;
  }
  Pickle take() {
    pickle_.bytes.resize(std::min(pickle_.bytes.size(), at_));
    return std::move(pickle_);
  }

 private:
  template <typename... Parts>
  [[noreturn]] void bad(const Parts&... parts) const {
    fail_bad(subject_, part_, ": ", parts..., " (pickle byte ", opcode_at_,
             "); the file is damaged or made to do harm, get it again from its author");
  }

  // --- bytes ---
  std::uint64_t left() const { return end_ - base_ - at_; }

  void check_length(std::uint64_t bytes) const {
    // Ranges are kept in 32 bits.
    const std::uint64_t limit =
        std::min<std::uint64_t>(limits_.pickle_bytes, std::numeric_limits<std::uint32_t>::max());
    if (bytes > limit) fail_limit(subject_, part_, ": the pickle is longer than the limit of ", limit, " bytes");
  }

  // Makes `count` bytes available at at_; compared with what the file has before anything is allocated.
  void need(std::uint64_t count) {
    if (count > left()) bad("a value of ", count, " bytes is claimed, only ", left(), " bytes are left");
    if (at_ + count <= pickle_.bytes.size()) return;
    check_length(at_ + count);
    const std::size_t have = pickle_.bytes.size();
    const std::uint64_t wanted = std::max<std::uint64_t>(at_ + count - have, std::max(kReadAhead, have));
    const auto more = static_cast<std::size_t>(std::min<std::uint64_t>(wanted, end_ - base_ - have));
    pickle_.bytes.resize(have + more);
    source_->read(base_ + have, pickle_.bytes.data() + have, more);
  }
  std::uint8_t byte() {
    need(1);
    return static_cast<std::uint8_t>(pickle_.bytes[at_++]);
  }
  template <typename Number>
  Number little() {
    need(sizeof(Number));
    std::uint64_t value = 0;
    for (std::size_t i = 0; i < sizeof(Number); ++i) {
      value |= static_cast<std::uint64_t>(static_cast<std::uint8_t>(pickle_.bytes[at_ + i])) << (8U * i);
    }
    at_ += sizeof(Number);
    return static_cast<Number>(value);
  }
  PickleNode::TextRange range(std::uint64_t count) {
    need(count);
    const PickleNode::TextRange taken{static_cast<std::uint32_t>(at_), static_cast<std::uint32_t>(count)};
    at_ += count;
    return taken;
  }
  // Up to a newline, which is skipped.
  PickleNode::TextRange line() {
    const std::size_t begin = at_;
    while (byte() != '\n') {
    }
    return {static_cast<std::uint32_t>(begin), static_cast<std::uint32_t>(at_ - 1 - begin)};
  }
  std::string_view view(PickleNode::TextRange part) const {
    return std::string_view(pickle_.bytes).substr(part.offset, part.count);
  }

  // --- nodes and stack ---
  NodeId make(Type type) {
    if (pickle_.nodes.size() >= limits_.pickle_nodes) {
      fail_limit(subject_, part_, ": the pickle holds more values than the limit of ", limits_.pickle_nodes);
    }
    pickle_.nodes.emplace_back().type = type;
    return static_cast<NodeId>(pickle_.nodes.size() - 1);
  }
  PickleNode& node(NodeId id) { return pickle_.nodes[id]; }
  NodeId push(Type type) {
    const NodeId id = make(type);
    stack_.push_back(id);
    return id;
  }
  void push_integer(std::int64_t value) { node(push(Type::integer)).integer = value; }
  void push_boolean(bool value) { node(push(Type::boolean)).integer = value ? 1 : 0; }
  void push_real(double value) { node(push(Type::real)).real = value; }
  void push_range(Type type, PickleNode::TextRange part) { node(push(type)).range = part; }
  // Python 2 strings: text where they are UTF-8, as torch.load reads them.
  void push_old_string(PickleNode::TextRange part) { push_range(is_utf8(view(part)) ? Type::text : Type::bytes, part); }
  void push_decoded(Type type, std::string_view text) {
    const auto offset = static_cast<std::uint32_t>(pickle_.decoded.size());
    pickle_.decoded.append(text);
    PickleNode& made = node(push(type));
    made.decoded = true;
    made.range = {offset, static_cast<std::uint32_t>(text.size())};
  }
  std::size_t floor() const { return marks_.empty() ? 0 : marks_.back(); }
  NodeId top() const {
    if (stack_.size() <= floor()) bad("an opcode takes a value from an empty stack");
    return stack_.back();
  }
  NodeId pop() {
    const NodeId id = top();
    stack_.pop_back();
    return id;
  }
  std::vector<NodeId> pop_mark() {
    if (marks_.empty()) bad("an opcode needs a MARK and there is none");
    const auto begin = stack_.begin() + static_cast<std::ptrdiff_t>(marks_.back());
    std::vector<NodeId> values(begin, stack_.end());
    stack_.erase(begin, stack_.end());
    marks_.pop_back();
    return values;
  }
  void adopt(NodeId parent, NodeId child) {
    PickleNode& above = node(parent);
    above.children.push_back(child);
    if (child == kNoNode) return;
    above.depth = std::max(above.depth, node(child).depth + 1);
    if (above.depth > limits_.pickle_depth) {
      fail_limit(subject_, part_, ": values are nested deeper than the limit of ", limits_.pickle_depth,
                 " (pickle byte ", opcode_at_, ")");
    }
  }
  void adopt_all(NodeId parent, const std::vector<NodeId>& children) {
    node(parent).children.reserve(node(parent).children.size() + children.size());
    for (const NodeId child : children) adopt(parent, child);
  }
  void push_tuple(std::size_t count) {
    std::vector<NodeId> values(count);
    for (std::size_t i = count; i-- > 0;) values[i] = pop();
    adopt_all(push(Type::tuple), values);
  }

  // --- memo ---
  void put(std::uint64_t index) {
    // A writer numbers what it memoises one by one, so an index far above the opcodes so far is an attack on memory.
    if (index > kSmallMemo && index > 2 * opcodes_) {
      bad("memo index ", index, " after ", opcodes_, " opcodes, expected a small one");
    }
    const NodeId value = top();
    if (index >= memo_.size()) memo_.resize(static_cast<std::size_t>(index) + 1, kNoNode);
    if (memo_[index] == kNoNode) ++memoized_;
    memo_[index] = value;
  }
  void get(std::uint64_t index) {
    if (index >= memo_.size() || memo_[index] == kNoNode) bad("memo index ", index, " is read but was never set");
    stack_.push_back(memo_[index]);
  }

  // --- opcodes with rules of their own ---
  void check_items(NodeId target, Items kind) {
    PickleNode& call = node(target);
    if (call.items != Items::none && call.items != kind) bad("a value is used as list and as dict");
    call.items = kind;
  }
  void append(NodeId target, const std::vector<NodeId>& values, Type plain) {
    const Type type = node(target).type;
    if (type == Type::reduce || type == Type::object) {
      check_items(target, Items::sequence);
    } else if (type != plain) {
      bad("items are appended to something that is not a ", plain == Type::list ? "list" : "set");
    }
    adopt_all(target, values);
  }
  void set_items(NodeId target, const std::vector<NodeId>& values) {
    if (values.size() % 2 != 0) bad("a dict gets a key without a value");
    const Type type = node(target).type;
    if (type == Type::reduce || type == Type::object) {
      check_items(target, Items::mapping);
    } else if (type != Type::dict) {
      bad("a key is set on something that is not a dict");
    }
    adopt_all(target, values);
  }
  NodeId pop_arguments() {
    const NodeId arguments = pop();
    if (node(arguments).type != Type::tuple) bad("a call has arguments that are not a tuple");
    return arguments;
  }
  NodeId pop_callable() {
    const NodeId callable = pop();
    const Type type = node(callable).type;
    if (type != Type::global && type != Type::persistent_id && type != Type::reduce && type != Type::object) {
      bad("a call names something that is neither a class nor a function");
    }
    return callable;
  }
  void push_call(Type type, NodeId callable, NodeId arguments, NodeId keywords = kNoNode) {
    const NodeId id = push(type);
    adopt(id, callable);
    adopt(id, arguments);
    adopt(id, kNoNode);
    if (type == Type::object) adopt(id, keywords);
  }
  void push_instance(NodeId callable, const std::vector<NodeId>& values) {
    const NodeId arguments = make(Type::tuple);
    adopt_all(arguments, values);
    push_call(Type::object, callable, arguments);
  }
  NodeId make_global() {
    const PickleNode::TextRange module = line();
    const PickleNode::TextRange name = line();
    if (module.count == 0 || name.count == 0) bad("a global has an empty name");
    const NodeId id = make(Type::global);
    node(id).range = {module.offset, module.count + 1 + name.count};
    return id;
  }
  void stack_global() {
    const NodeId name = pop();
    const NodeId module = pop();
    for (const NodeId part : {module, name}) {
      if (node(part).type != Type::text || view_of(part).empty() || view_of(part).find('\n') != std::string::npos) {
        bad("a global's name is not a text");
      }
    }
    adopt_all(push(Type::global), {module, name});
  }
  std::string_view view_of(NodeId id) const { return pickle_.text(id); }
  void build() {
    const NodeId state = pop();
    const NodeId target = top();
    const Type type = node(target).type;
    if (type != Type::reduce && type != Type::object) bad("a state is set on something that is not an object");
    PickleNode& call = node(target);
    // Written through adopt for its depth check, then moved to its place.
    adopt(target, state);
    call.children.pop_back();
    call.children[2] = state;
  }
  void long_integer(std::uint64_t count) {
    const PickleNode::TextRange digits = range(count);
    if (count > sizeof(std::int64_t)) return push_range(Type::big_integer, digits);
    const std::string_view bytes = view(digits);
    std::uint64_t value = 0;
    for (std::size_t i = 0; i < bytes.size(); ++i) {
      value |= static_cast<std::uint64_t>(static_cast<std::uint8_t>(bytes[i])) << (8U * i);
    }
    const bool negative = !bytes.empty() && (static_cast<std::uint8_t>(bytes.back()) & 0x80U) != 0;
    if (negative && count < sizeof(value)) value |= ~std::uint64_t{0} << (8U * count);
    push_integer(static_cast<std::int64_t>(value));
  }
  std::uint64_t signed_length() {
    const auto length = little<std::int32_t>();
    if (length < 0) bad("a length of ", length, " is negative");
    return static_cast<std::uint64_t>(length);
  }

  void step(std::uint8_t opcode);
  bool step_text(std::uint8_t opcode);
  std::uint64_t text_index();
  void text_integer(bool is_long);
  void text_real();
  void quoted_string();
  void raw_unicode();

  const ByteSource* source_;
  std::uint64_t base_;
  std::uint64_t end_;
  std::string subject_;
  std::string part_;
  const Limits& limits_;
  Pickle pickle_;
  std::vector<NodeId> stack_;
  std::vector<std::size_t> marks_;
  std::vector<NodeId> memo_;
  std::uint64_t memoized_ = 0;
  std::uint64_t opcodes_ = 0;
  std::size_t at_ = 0;
  std::size_t opcode_at_ = 0;
  bool stopped_ = false;
};

}  // namespace ptrun::archive
