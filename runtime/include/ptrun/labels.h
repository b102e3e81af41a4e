#pragma once

#include <string>
#include <vector>

namespace ptrun {

// Names of the classes a model knows, by class index. Text is UTF-8 and foreign: escape it before display.
struct Labels {
  std::vector<std::string> names;  // empty: unknown, predictions carry the index alone
  std::string source;              // where they came from, for example "file labels.txt" or "built-in imagenet1k"
};

}  // namespace ptrun
