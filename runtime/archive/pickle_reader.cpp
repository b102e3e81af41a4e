// The pickle machine: one pass over the opcodes, no recursion, nothing called.
#include <algorithm>
#include <bit>
#include <charconv>
#include <limits>

#include "archive/fail.h"
#include "archive/pickle.h"

namespace ptrun::archive {
namespace {

using Type = PickleNode::Type;
using Items = PickleNode::Items;

constexpr std::size_t kReadAhead = 64U << 10U;
constexpr int kNewestProtocol = 5;
constexpr std::uint64_t kSmallMemo = 255;  // indexes that cost nothing
constexpr std::size_t kMarksPerLevel = 4;

class PickleReader {
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

void PickleReader::step(std::uint8_t opcode) {
  switch (opcode) {
    case 0x80:  // PROTO
      pickle_.protocol = byte();
      if (pickle_.protocol > kNewestProtocol) {
        fail(ErrorCode::unsupported, subject_, part_, ": pickle protocol ", pickle_.protocol,
             ", expected 5 or lower; save the model with an older pickle_protocol");
      }
      return;
    case 0x95:  // FRAME: only a hint for readers of pipes
      if (little<std::uint64_t>() > left()) bad("a FRAME reaches past the end");
      return;
    case '.': stopped_ = true; return;
    case '(':
      if (marks_.size() >= limits_.pickle_depth * kMarksPerLevel) {
        fail_limit(subject_, part_, ": values are nested deeper than the limit of ", limits_.pickle_depth);
      }
      marks_.push_back(stack_.size());
      return;
    case '0':  // POP
      if (stack_.size() == floor() && !marks_.empty()) {
        marks_.pop_back();
      } else {
        pop();
      }
      return;
    case '1': pop_mark(); return;
    case '2': stack_.push_back(top()); return;

    case 'N': push(Type::none); return;
    case 0x88: push_boolean(true); return;
    case 0x89: push_boolean(false); return;
    case 'J': push_integer(little<std::int32_t>()); return;
    case 'K': push_integer(byte()); return;
    case 'M': push_integer(little<std::uint16_t>()); return;
    case 0x8A: long_integer(byte()); return;
    case 0x8B: long_integer(signed_length()); return;
    case 'G': {  // big-endian double
      const auto swapped = little<std::uint64_t>();
      push_real(std::bit_cast<double>(__builtin_bswap64(swapped)));
      return;
    }

    case 0x8C: push_range(Type::text, range(byte())); return;
    case 'X': push_range(Type::text, range(little<std::uint32_t>())); return;
    case 0x8D: push_range(Type::text, range(little<std::uint64_t>())); return;
    case 'U': push_old_string(range(byte())); return;
    case 'T': push_old_string(range(signed_length())); return;
    case 'C': push_range(Type::bytes, range(byte())); return;
    case 'B': push_range(Type::bytes, range(little<std::uint32_t>())); return;
    case 0x8E:
    case 0x96: push_range(Type::bytes, range(little<std::uint64_t>())); return;

    case ')': push(Type::tuple); return;
    case 0x85: push_tuple(1); return;
    case 0x86: push_tuple(2); return;
    case 0x87: push_tuple(3); return;
    case 't': {
      const std::vector<NodeId> values = pop_mark();
      adopt_all(push(Type::tuple), values);
      return;
    }
    case ']': push(Type::list); return;
    case 'l': {
      const std::vector<NodeId> values = pop_mark();
      adopt_all(push(Type::list), values);
      return;
    }
    case 'a': {
      const NodeId value = pop();
      append(top(), {value}, Type::list);
      return;
    }
    case 'e': {
      const std::vector<NodeId> values = pop_mark();
      append(top(), values, Type::list);
      return;
    }
    case 0x8F: push(Type::set); return;
    case 0x90: {
      const std::vector<NodeId> values = pop_mark();
      append(top(), values, Type::set);
      return;
    }
    case 0x91: {
      const std::vector<NodeId> values = pop_mark();
      adopt_all(push(Type::frozen_set), values);
      return;
    }
    case '}': push(Type::dict); return;
    case 'd': {
      const std::vector<NodeId> values = pop_mark();
      set_items(push(Type::dict), values);
      return;
    }
    case 's': {
      const NodeId value = pop();
      const NodeId key = pop();
      set_items(top(), {key, value});
      return;
    }
    case 'u': {
      const std::vector<NodeId> values = pop_mark();
      set_items(top(), values);
      return;
    }

    case 'c': stack_.push_back(make_global()); return;
    case 0x93: stack_global(); return;
    case 'R': {
      const NodeId arguments = pop_arguments();
      push_call(Type::reduce, pop_callable(), arguments);
      return;
    }
    case 0x81: {  // NEWOBJ
      const NodeId arguments = pop_arguments();
      push_call(Type::object, pop_callable(), arguments);
      return;
    }
    case 0x92: {  // NEWOBJ_EX
      const NodeId keywords = pop();
      if (node(keywords).type != Type::dict) bad("keyword arguments are not a dict");
      const NodeId arguments = pop_arguments();
      push_call(Type::object, pop_callable(), arguments, keywords);
      return;
    }
    case 'i': {  // INST
      const NodeId callable = make_global();
      push_instance(callable, pop_mark());
      return;
    }
    case 'o': {  // OBJ
      std::vector<NodeId> values = pop_mark();
      if (values.empty() || node(values.front()).type != Type::global) bad("an object has no class");
      const NodeId callable = values.front();
      values.erase(values.begin());
      push_instance(callable, values);
      return;
    }
    case 'b': build(); return;
    case 'Q': {  // BINPERSID
      const NodeId id = pop();
      adopt(push(Type::persistent_id), id);
      return;
    }

    case 'q': put(byte()); return;
    case 'r': put(little<std::uint32_t>()); return;
    case 0x94: put(memoized_); return;
    case 'h': get(byte()); return;
    case 'j': get(little<std::uint32_t>()); return;
    case 0x82:
    case 0x83:
    case 0x84: bad("the extension registry is used, expected none");
    case 0x97:
    case 0x98: bad("bytes outside the pickle are used, expected none");
    default:
      if (!step_text(opcode)) bad("opcode ", static_cast<int>(opcode), " does not exist");
  }
}

// The text opcodes of protocol 0, which Python 2 files may hold.
bool PickleReader::step_text(std::uint8_t opcode) {
  switch (opcode) {
    case 'I': text_integer(false); return true;
    case 'L': text_integer(true); return true;
    case 'F': text_real(); return true;
    case 'S': quoted_string(); return true;
    case 'V': raw_unicode(); return true;
    case 'p': put(text_index()); return true;
    case 'g': get(text_index()); return true;
    case 'P': {
      const PickleNode::TextRange id = line();
      const NodeId text = make(Type::text);
      node(text).range = id;
      adopt(push(Type::persistent_id), text);
      return true;
    }
    default: return false;
  }
}

std::uint64_t PickleReader::text_index() {
  const std::string_view digits = view(line());
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
  if (error != std::errc() || end != digits.data() + digits.size()) bad("a memo index is not a number");
  return value;
}

void PickleReader::text_integer(bool is_long) {
  std::string_view digits = view(line());
  if (!is_long && (digits == "00" || digits == "01")) return push_boolean(digits == "01");
  if (is_long && !digits.empty() && digits.back() == 'L') digits.remove_suffix(1);
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
  if (error != std::errc() || end != digits.data() + digits.size()) bad("an integer is not one of 64 bits");
  push_integer(value);
}

void PickleReader::text_real() {
  const std::string_view digits = view(line());
  double value = 0.0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
  if (error != std::errc() || end != digits.data() + digits.size()) bad("a number cannot be read");
  push_real(value);
}

int hex_digit(char digit) {
  if (digit >= '0' && digit <= '9') return digit - '0';
  if (digit >= 'a' && digit <= 'f') return digit - 'a' + 10;
  if (digit >= 'A' && digit <= 'F') return digit - 'A' + 10;
  return -1;
}

// Reads `count` hex digits of `text` at `at`; nothing when there are fewer.
bool read_hex(std::string_view text, std::size_t at, std::size_t count, std::uint32_t& value) {
  if (text.size() < at + count) return false;
  value = 0;
  for (std::size_t i = 0; i < count; ++i) {
    const int digit = hex_digit(text[at + i]);
    if (digit < 0) return false;
    value = value * 16 + static_cast<std::uint32_t>(digit);
  }
  return true;
}

void append_utf8(std::string& to, std::uint32_t code) {
  const auto unit = [&](std::uint32_t value) { to.push_back(static_cast<char>(value)); };
  if (code < 0x80) {
    unit(code);
  } else if (code < 0x800) {
    unit(0xC0U | (code >> 6U));
    unit(0x80U | (code & 0x3FU));
  } else if (code < 0x10000) {
    unit(0xE0U | (code >> 12U));
    unit(0x80U | ((code >> 6U) & 0x3FU));
    unit(0x80U | (code & 0x3FU));
  } else {
    unit(0xF0U | (code >> 18U));
    unit(0x80U | ((code >> 12U) & 0x3FU));
    unit(0x80U | ((code >> 6U) & 0x3FU));
    unit(0x80U | (code & 0x3FU));
  }
}

// STRING: a Python literal in quotes with backslash escapes.
void PickleReader::quoted_string() {
  std::string_view literal = view(line());
  if (literal.size() < 2 || (literal.front() != '\'' && literal.front() != '"') || literal.front() != literal.back()) {
    bad("a string is not in quotes");
  }
  literal = literal.substr(1, literal.size() - 2);
  std::string text;
  for (std::size_t i = 0; i < literal.size(); ++i) {
    if (literal[i] != '\\' || i + 1 == literal.size()) {
      text.push_back(literal[i]);
      continue;
    }
    const char escape = literal[++i];
    std::uint32_t code = 0;
    switch (escape) {
      case 'n': text.push_back('\n'); break;
      case 't': text.push_back('\t'); break;
      case 'r': text.push_back('\r'); break;
      case 'x':
        if (!read_hex(literal, i + 1, 2, code)) bad("a string has a wrong escape");
        text.push_back(static_cast<char>(code));
        i += 2;
        break;
      default: text.push_back(escape);
    }
  }
  push_decoded(is_utf8(text) ? Type::text : Type::bytes, text);
}

// UNICODE: raw-unicode-escape, that is Latin-1 with \uXXXX and \UXXXXXXXX.
void PickleReader::raw_unicode() {
  const std::string_view raw = view(line());
  std::string text;
  for (std::size_t i = 0; i < raw.size(); ++i) {
    std::uint32_t code = static_cast<std::uint8_t>(raw[i]);
    const std::size_t digits = raw[i] == '\\' && i + 1 < raw.size() ? (raw[i + 1] == 'u'   ? 4U
                                                                       : raw[i + 1] == 'U' ? 8U
                                                                                           : 0U)
                                                                    : 0U;
    if (digits > 0) {
      if (!read_hex(raw, i + 2, digits, code) || code > 0x10FFFF) bad("a string has a wrong escape");
      i += 1 + digits;
    }
    append_utf8(text, code);
  }
  push_decoded(Type::text, text);
}

}  // namespace

Pickle read_pickle(const ByteSource& source, std::uint64_t& offset, std::uint64_t end, const std::string& part,
                   const Limits& limits) {
  if (offset > end || end > source.size()) fail_bad(source.name(), part, " is outside the file; the file is truncated");
  PickleReader reader(&source, offset, end, source.name(), part, limits);
  offset += reader.run();
  return reader.take();
}

Pickle read_pickle(std::string bytes, const std::string& subject, const std::string& part, const Limits& limits) {
  const std::uint64_t size = bytes.size();
  PickleReader reader(nullptr, 0, size, subject, part, limits);
  reader.give_bytes(std::move(bytes));
  const std::uint64_t used = reader.run();
  if (used != size) {
    fail_bad(subject, part, ": ", size - used,
             " bytes follow the end of the pickle, expected none; no PyTorch version ",
             "writes this, refuse the file or ask who made it");
  }
  return reader.take();
}

}  // namespace ptrun::archive
