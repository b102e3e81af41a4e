// The folder rules, checked on the text of the sources.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <map>
#include <regex>
#include <set>
#include <sstream>
#include <string>
#include <vector>

namespace {

namespace fs = std::filesystem;

const fs::path kRoot = PTRUN_SOURCE_DIR;

struct Room {
  bool torch = false;
  std::set<std::string> uses;  // direct and indirect
};

std::map<std::string, Room> read_rooms() {
  std::map<std::string, Room> rooms;
  std::ifstream file(PTRUN_LAYERS_FILE);
  for (std::string line; std::getline(file, line);) {
    std::istringstream words(line);
    std::string name;
    std::string torch;
    words >> name >> torch;
    Room room;
    room.torch = torch == "torch";
    for (std::string used; words >> used;) {
      room.uses.insert(used);
      room.uses.insert(rooms[used].uses.begin(), rooms[used].uses.end());
    }
    rooms[name] = room;
  }
  return rooms;
}

struct Include {
  std::string file;  // relative to the source tree
  int line = 0;
  std::string target;  // with its quotes or brackets
};

std::vector<fs::path> sources_below(const std::string& folder) {
  std::vector<fs::path> files;
  for (const auto& entry : fs::recursive_directory_iterator(kRoot / folder)) {
    const std::string extension = entry.path().extension();
    if (extension == ".h" || extension == ".cpp" || extension == ".cu") files.push_back(entry.path());
  }
  return files;
}

std::vector<Include> includes_of(const fs::path& path) {
  static const std::regex kInclude(R"(^\s*#\s*include\s*(["<][^">]+[">]))");
  std::vector<Include> found;
  std::ifstream file(path);
  int number = 0;
  for (std::string line; std::getline(file, line);) {
    ++number;
    std::smatch match;
    if (std::regex_search(line, match, kInclude)) found.push_back({fs::relative(path, kRoot), number, match[1]});
  }
  return found;
}

std::vector<Include> includes_below(const std::string& folder) {
  std::vector<Include> all;
  for (const fs::path& path : sources_below(folder)) {
    for (Include& include : includes_of(path)) all.push_back(std::move(include));
  }
  return all;
}

std::string where(const Include& include) {
  return include.file + ":" + std::to_string(include.line) + " includes " + include.target;
}

bool is_quoted(const Include& include) { return include.target.front() == '"'; }

std::string first_folder(const Include& include) { return include.target.substr(1, include.target.find('/') - 1); }

bool is_libtorch(const Include& include) {
  static const std::set<std::string> kFolders = {"torch", "ATen", "c10", "caffe2"};
  return !is_quoted(include) && kFolders.count(first_folder(include)) != 0;
}

bool is_standard(const Include& include) {
  if (include.target == "<stddef.h>" || include.target == "<stdint.h>") return true;  // C's, in c_api.h
  return !is_quoted(include) && include.target.find_first_of("./") == std::string::npos;
}

}  // namespace

TEST(LayersTest, ARoomIncludesOnlyTheRoomsItMayUse) {
  const auto rooms = read_rooms();
  ASSERT_GE(rooms.size(), 4U);
  for (const auto& [name, room] : rooms) {
    for (const Include& include : includes_below("runtime/" + name)) {
      if (!is_quoted(include)) continue;
      const std::string folder = first_folder(include);
      const bool allowed = folder == name || folder == "ptrun" || room.uses.count(folder) != 0;
      EXPECT_TRUE(allowed) << where(include) << "; " << name << " may use only the rooms named in its CMakeLists.txt";
    }
  }
}

TEST(LayersTest, LibTorchIsSeenOnlyByItsRoomsAndJitOnlyByThree) {
  for (const auto& [name, room] : read_rooms()) {
    for (const Include& include : includes_below("runtime/" + name)) {
      if (!is_libtorch(include)) continue;
      EXPECT_TRUE(room.torch) << where(include) << "; " << name << " is a room without LibTorch";
      const bool jit = include.target.rfind("<torch/csrc/jit", 0) == 0;
      const bool may_jit =
          name == "graph" || name == "executor" || include.file.rfind("runtime/loader/torchscript/", 0) == 0;
      EXPECT_TRUE(!jit || may_jit) << where(include)
                                   << "; torch/csrc/jit belongs to graph, executor and the TorchScript loader";
    }
  }
}

TEST(LayersTest, PublicHeadersNeedTheStandardLibraryOnly) {
  for (const Include& include : includes_below("runtime/include/ptrun")) {
    if (include.file == "runtime/include/ptrun/torch.h") continue;
    EXPECT_TRUE(is_standard(include) || include.target.rfind("\"ptrun/", 0) == 0) << where(include);
  }
}

TEST(LayersTest, ModelsAndAppsUseThePublicHeadersOnly) {
  for (const std::string folder : {"models", "apps"}) {
    for (const Include& include : includes_below(folder)) {
      EXPECT_FALSE(is_libtorch(include)) << where(include);
      if (!is_quoted(include) || first_folder(include) == "ptrun") continue;
      // Anything else in quotes is a file of the folder itself.
      const std::string target = include.target.substr(1, include.target.size() - 2);
      const bool own = fs::exists(kRoot / folder / target) || fs::exists((kRoot / include.file).parent_path() / target);
      EXPECT_TRUE(own) << where(include) << "; only ptrun/*.h of the engine may be included here";
    }
  }
}

TEST(LayersTest, AFileCanBeReadInOneGo) {
  for (const std::string folder : {"runtime", "models", "apps", "tests"}) {
    for (const fs::path& path : sources_below(folder)) {
      std::ifstream file(path);
      const auto lines = std::count(std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>(), '\n');
      EXPECT_LE(lines, 500) << fs::relative(path, kRoot) << " is too long";
    }
  }
}

TEST(LayersTest, AFolderOpensWithItsPromise) {
  for (const auto& [name, room] : read_rooms()) {
    std::ifstream file(kRoot / "runtime" / name / "CMakeLists.txt");
    std::string line;
    std::getline(file, line);
    EXPECT_THAT(line, testing::StartsWith("# ")) << "runtime/" << name << "/CMakeLists.txt";
  }
}
