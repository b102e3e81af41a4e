// The text opcodes of protocol 0, which Python 2 files may hold.
#include <charconv>

#include "archive/pickle_machine.h"

namespace ptrun::archive {

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

namespace {

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

}  // namespace

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

}  // namespace ptrun::archive
