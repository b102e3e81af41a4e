// The opcodes of the pickle machine that torch.save of Python 3 writes, and how a reading begins and ends.
#include <bit>

#include "archive/pickle_machine.h"

namespace ptrun::archive {

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
