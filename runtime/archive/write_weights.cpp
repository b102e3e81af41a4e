#include "archive/write_weights.h"

#include <algorithm>
#include <cctype>

namespace ptrun::archive {

const std::vector<WeightFormat>& weight_formats() {
  static const std::vector<WeightFormat> rows = {
      {"safetensors", {".safetensors"}, write_safetensors},
      {"torch", {".pt", ".pth", ".bin", ".ckpt"}, write_torch_zip},
  };
  return rows;
}

const WeightFormat* weight_format_for(std::string_view path) {
  std::string lower(path);
  for (char& c : lower) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  for (const WeightFormat& row : weight_formats()) {
    for (const std::string_view extension : row.extensions) {
      if (lower.size() > extension.size() &&
          std::string_view(lower).substr(lower.size() - extension.size()) == extension)
        return &row;
    }
  }
  return nullptr;
}

}  // namespace ptrun::archive
