// Damaged .pt2 archives of torch.export: a result or a named error, quickly and without much memory.
#include "archive/exported_program.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <random>

#include "archive/zip.h"
#include "hostile/refuse.h"

namespace ptrun::test {
namespace {

namespace exported = archive::exported;

std::string file_bytes(const std::string& name) {
  std::ifstream file(std::filesystem::path(PTRUN_TEST_DATA) / "exported" / name, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

// The program's JSON as it stands in the archive.
std::string program_text(const std::string& name) {
  const auto zip = archive::ZipArchive::open(archive::from_memory("model.pt2", file_bytes(name)));
  return zip->read(zip->require("models/model.json"), 1U << 24U);
}

void open_and_read(const std::string& bytes) {
  const auto source = archive::from_memory("model.pt2", bytes);
  archive::require_readable(*source, archive::detect(*source));
  const exported::Archive opened = exported::open_archive(source);
  for (const auto& file : opened.files) {
    for (std::size_t i = 0; i < file->storages().size(); ++i) {
      std::string storage(file->storages()[i].bytes, '\0');
      file->read_storage(i, storage.data());
    }
  }
}

// What `work` throws: "" for a result, the text of an Error, or a failure for anything else.
template <typename Work>
std::string refusal(const Work& work) {
  try {
    work();
    return "";
  } catch (const Error& error) {
    return error.what();
  } catch (const std::exception& error) {
    ADD_FAILURE() << "another exception: " << error.what();
    return error.what();
  }
}

void read_text(const std::string& text) { exported::read_program(text, "model.pt2", "models/model.json"); }

TEST(ExportedProgram, EveryTruncationIsRefused) {
  for (const char* name : {"classifier.pt2", "old_2_6_0.pt2", "loop.pt2"}) {
    SCOPED_TRACE(name);
    const std::string bytes = file_bytes(name);
    ASSERT_EQ(refusal([&] { open_and_read(bytes); }), "");
    Cost worst;
    for (std::size_t length = 1; length < bytes.size(); ++length) {
      const std::string cut = bytes.substr(0, length);
      const Cost cost = measure([&] { ASSERT_NE(refusal([&] { open_and_read(cut); }), "") << "at " << length; });
      worst.seconds = std::max(worst.seconds, cost.seconds);
      worst.heap_bytes = std::max(worst.heap_bytes, cost.heap_bytes);
    }
    EXPECT_LT(worst.seconds, time_limit());
    EXPECT_LT(worst.heap_bytes, kMemoryLimit);
  }
}

TEST(ExportedProgram, MutantsOfTheTextNeverCrash) {
  std::mt19937 random(11);
  const auto below = [&](std::size_t limit) {
    return std::uniform_int_distribution<std::size_t>(0, limit - 1)(random);
  };
  int read = 0;
  int refused = 0;
  for (const char* name : {"classifier.pt2", "branches.pt2", "nested.pt2", "sizes.pt2"}) {
    const std::string text = program_text(name);
    for (int round = 0; round < 500; ++round) {
      std::string mutant = text;
      for (std::size_t i = 0; i <= below(3); ++i) {
        const std::size_t at = below(mutant.size());
        switch (below(4)) {
          case 0: mutant[at] = static_cast<char>(below(256)); break;
          case 1: mutant.erase(at, 1 + below(12)); break;
          case 2: mutant.insert(at, "9"); break;
          default: mutant.replace(at, 1, "-");
        }
      }
      (refusal([&] { read_text(mutant); }).empty() ? read : refused) += 1;
    }
  }
  EXPECT_EQ(read + refused, 2000);
  EXPECT_GT(refused, 1000);
}

TEST(ExportedProgram, NestedWithoutEndIsRefused) {
  const std::string deep(200'000, '[');
  const Cost cost = measure([&] { EXPECT_NE(refusal([&] { read_text(deep); }), ""); });
  EXPECT_LT(cost.seconds, time_limit());
  EXPECT_LT(cost.heap_bytes, kMemoryLimit);
  std::string nodes = "{\"graph_module\":";
  for (int i = 0; i < 100'000; ++i) nodes += "{\"graph\":";
  EXPECT_NE(refusal([&] { read_text(nodes); }), "");
}

// The output's structure is JSON inside a text of the JSON, and the keys of a dict are JSON inside a text of that.
TEST(ExportedProgram, NestedWithoutEndInsideTheOutputIsRefused) {
  auto program = nlohmann::json::parse(program_text("classifier.pt2"));
  for (auto& entry : program["graph_module"]["module_call_graph"]) {
    if (entry["fqn"] != "") continue;
    entry["signature"]["out_spec"] =
        R"([1, {"type": "builtins.dict", "context": ")" + std::string(4'000'000, '[') + R"(", "children_spec": []}])";
  }
  const std::string text = program.dump();
  const Cost cost = measure([&] {
    EXPECT_NE(refusal([&] { read_text(text); }).find("out_spec: lists and objects stand 257 deep"), std::string::npos);
  });
  EXPECT_LT(cost.heap_bytes, kMemoryLimit);
}

TEST(ExportedProgram, AnEmptyOrForeignObjectIsRefused) {
  for (const char* text :
       {"", "{}", "[]", "null", "{\"graph_module\":null}", "{\"schema_version\":{\"major\":99,\"minor\":0}}"}) {
    EXPECT_NE(refusal([&] { read_text(text); }).find("model.pt2: "), std::string::npos) << text;
  }
}

}  // namespace
}  // namespace ptrun::test
