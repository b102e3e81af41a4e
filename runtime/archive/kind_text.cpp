// Texts, tar members, and the sentence that says more about a refused file.
#include "archive/kind_text.h"

#include <algorithm>
#include <array>
#include <cctype>

#include "archive/fail.h"
#include "archive/sharded.h"

namespace ptrun::archive {
namespace {

constexpr std::size_t kTarBlock = 512;
constexpr std::size_t kTarMembers = 16;
constexpr std::size_t kPointerBytes = 1024;  // a Git LFS pointer is shorter

std::string lower(std::string_view text) {
  std::string result(text);
  for (char& c : result) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return result;
}

bool begins(std::string_view text, std::string_view with) { return text.substr(0, with.size()) == with; }

// The rest of the line that begins with `key`, or empty.
std::string line_value(std::string_view text, std::string_view key) {
  std::size_t at = 0;
  while (at < text.size()) {
    const std::size_t end = std::min(text.find('\n', at), text.size());
    const std::string_view line = text.substr(at, end - at);
    if (begins(line, key)) return printable(line.substr(key.size()));
    at = end + 1;
  }
  return {};
}

std::string head_of(const ByteSource& source, std::size_t count) {
  return source.read_string(0, static_cast<std::size_t>(std::min<std::uint64_t>(source.size(), count)));
}

std::string first_names(const ByteSource& source) {
  const std::shared_ptr<const ByteSource> alias(std::shared_ptr<const void>(), &source);
  const std::shared_ptr<const ZipArchive> zip = ZipArchive::open(alias);
  std::vector<std::string> names;
  for (const ZipEntry& entry : zip->entries()) names.push_back(printable(entry.name, 60));
  return "it holds " + join_some(names, 4);
}

std::string hex_of(std::string_view bytes) {
  std::string text;
  for (const char c : bytes) {
    const auto byte = static_cast<unsigned char>(c);
    text += text.empty() ? "" : " ";
    text += "0123456789abcdef"[byte >> 4U];
    text += "0123456789abcdef"[byte & 15U];
  }
  return text;
}

std::string image_format(std::string_view head) {
  if (begins(head, "\xFF\xD8\xFF")) return "JPEG";
  if (begins(head, "\x89PNG")) return "PNG";
  if (begins(head, "GIF8")) return "GIF";
  if (begins(head, "RIFF")) return "WebP";
  if (begins(head, "II*") || begins(head, "MM")) return "TIFF";
  return "HEIF";
}

// A statement of Python at the beginning of a line; a list of classes may hold "import duties" or "from above".
bool is_statement(std::string_view line) {
  while (!line.empty() && (line.back() == '\r' || line.back() == ' ')) line.remove_suffix(1);
  if (line.empty()) return false;
  const auto holds = [&](std::string_view words) { return line.find(words) != std::string_view::npos; };
  const bool one_word = line.find(' ', line.find(' ') + 1) == std::string_view::npos;
  if (begins(line, "import ")) return one_word || holds(" as ");
  if (begins(line, "from ")) return holds(" import ");
  if (begins(line, "def ")) return holds("(") && line.back() == ':';
  if (begins(line, "class ")) return line.back() == ':';
  return begins(line, "#!") && holds("python");
}

bool is_python(std::string_view text) {
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    if (is_statement(text.substr(0, end))) return true;
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return false;
}

}  // namespace

Kind text_kind(std::string_view head) {
  if (begins(head, "\xEF\xBB\xBF")) head.remove_prefix(3);
  const bool binary = std::any_of(head.begin(), head.end(), [](char c) {
    const auto byte = static_cast<unsigned char>(c);
    return (byte < 0x20 && byte != '\n' && byte != '\r' && byte != '\t' && byte != '\f') || byte == 0x7F;
  });
  // The head can end inside a character.
  std::string_view whole = head;
  for (int cut = 0; cut < 3 && !whole.empty() && !is_utf8(whole); ++cut) whole.remove_suffix(1);
  if (binary || whole.empty() || !is_utf8(whole)) return Kind::unknown;
  const std::size_t first = head.find_first_not_of(" \r\n\t");
  if (first == std::string_view::npos) return Kind::text;
  const std::string start = lower(head.substr(first, 64));
  // OpenVINO's IR: <net name="..." version="11"> after an optional declaration.
  if (start[0] == '<' && head.find("<net ") != std::string_view::npos &&
      head.find("version=\"1") != std::string_view::npos) {
    return Kind::openvino;
  }
  constexpr std::array<std::string_view, 7> kWeb = {"<!do", "<htm", "<head", "<body", "<?xml", "<!--", "{\"err"};
  for (const std::string_view mark : kWeb) {
    if (begins(start, mark)) return Kind::web_page;
  }
  if (start[0] == '{' && looks_like_shard_index(head)) return Kind::shard_index;
  if (start[0] == '{' || start[0] == '[') return Kind::json_text;
  if (is_python(head.substr(first))) return Kind::python_source;
  return Kind::text;
}

bool tar_is_torch_save(const ByteSource& source) {
  std::uint64_t at = 0;
  int found = 0;
  for (std::size_t member = 0; member < kTarMembers && source.size() >= kTarBlock && at <= source.size() - kTarBlock;
       ++member) {
    const std::string header = source.read_string(at, kTarBlock);
    std::string name = header.substr(0, std::min<std::size_t>(header.find('\0'), 100));
    if (begins(name, "./")) name.erase(0, 2);
    if (name == "sys_info" || name == "pickle" || name == "storages" || name == "tensors") ++found;
    std::uint64_t bytes = 0;
    for (const char c : header.substr(124, 11)) {
      if (c >= '0' && c <= '7') bytes = bytes * 8 + static_cast<std::uint64_t>(c - '0');
    }
    at += kTarBlock + (bytes + kTarBlock - 1) / kTarBlock * kTarBlock;
  }
  return found >= 3;
}

std::string details(const ByteSource& source, Kind kind) {
  switch (kind) {
    case Kind::lfs_pointer: {
      const std::string text = head_of(source, kPointerBytes);
      const std::string oid = line_value(text, "oid ");
      const std::string size = line_value(text, "size ");
      return text_of("the real file is ", oid.empty() ? "not named" : oid, size.empty() ? "" : ", " + size + " bytes");
    }
    case Kind::image: return image_format(head_of(source, 16));
    case Kind::web_page:
    case Kind::text:
    case Kind::json_text: {
      std::string text = head_of(source, 80);
      std::replace(text.begin(), text.end(), '\n', ' ');
      return "it begins with " + in_quotes(text);
    }
    case Kind::other_zip: return first_names(source);
    case Kind::unknown: return "its first bytes are " + hex_of(head_of(source, 8));
    default: return {};
  }
}

}  // namespace ptrun::archive
