// Every file of tests/data/archives, written by real PyTorch versions, gives the numbers that Python read from it.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "archive/kind.h"
#include "archive/weight_table.h"
#include "ptrun/error.h"
#include "support/elements.h"

namespace ptrun::archive {
namespace {

using nlohmann::json;

struct Fixture {
  std::string path;
  std::string title;
  json expected;
};

void PrintTo(const Fixture& fixture, std::ostream* out) { *out << fixture.title; }

std::vector<Fixture> fixtures() {
  std::vector<Fixture> all;
  const std::filesystem::path root = std::filesystem::path(PTRUN_TEST_DATA) / "archives";
  std::vector<std::filesystem::path> folders(std::filesystem::directory_iterator(root), {});
  std::sort(folders.begin(), folders.end());
  for (const std::filesystem::path& folder : folders) {
    if (!std::filesystem::exists(folder / "expected.json")) continue;
    const json versions = json::parse(std::ifstream(folder / "expected.json"));
    for (const auto& [name, entry] : versions["files"].items()) {
      std::string title = folder.filename().string() + "_" + name;
      for (char& c : title) c = std::isalnum(static_cast<unsigned char>(c)) != 0 ? c : '_';
      all.push_back({(folder / name).string(), title, entry});
    }
  }
  return all;
}

void expect_numbers(const TensorFile& file, const WeightTable::Entry& entry, const json& expected) {
  SCOPED_TRACE(entry.name);
  EXPECT_EQ(to_string(entry.dtype), expected["dtype"].get<std::string>());
  EXPECT_EQ(entry.shape, expected["shape"].get<std::vector<std::int64_t>>());
  const std::vector<std::complex<double>> values = test::elements(file, entry.tensor);
  std::complex<double> sum = 0;
  for (const auto& value : values) sum += value;
  EXPECT_DOUBLE_EQ(sum.real(), expected["sum"][0].get<double>());
  EXPECT_DOUBLE_EQ(sum.imag(), expected["sum"][1].get<double>());
  const auto expect_value = [](const std::complex<double>& value, const json& pair) {
    EXPECT_EQ(value.real(), pair[0].get<double>());
    EXPECT_EQ(value.imag(), pair[1].get<double>());
  };
  ASSERT_GE(values.size(), expected["first"].size());
  for (std::size_t i = 0; i < expected["first"].size(); ++i) expect_value(values[i], expected["first"][i]);
  if (!expected["last"].empty()) expect_value(values.back(), expected["last"][0]);
}

class Fixtures : public testing::TestWithParam<Fixture> {};

TEST_P(Fixtures, GiveWhatPythonReads) {
  const json& expected = GetParam().expected;
  const auto source = open_file(GetParam().path);
  const Kind kind = detect(*source);
  ASSERT_EQ(info(kind).word, expected["kind"].get<std::string>());
  if (kind != Kind::torch_save_zip && kind != Kind::torch_save_legacy && kind != Kind::safetensors) {
    EXPECT_THROW(TensorFile::open(source, kind), Error);
    return;
  }
  const auto file = TensorFile::open(source, kind);
  file->verify();
  for (std::size_t i = 0; i < file->storages().size(); ++i) {
    std::string bytes(file->storages()[i].bytes, '\0');
    file->read_storage(i, bytes.data());
    EXPECT_EQ(file->storages()[i].location, expected.value("location", "cpu"));
  }
  if (!expected.contains("tensors") && !expected.contains("module")) {
    EXPECT_THROW(find_weights(*file), Error);  // one tensor without a name
    return;
  }
  const FoundWeights found = find_weights(*file);
  EXPECT_EQ(found.where, expected["where"].get<std::string>());
  EXPECT_EQ(found.stripped_prefix, expected["prefix"].get<std::string>());
  EXPECT_EQ(found.module_class, expected.value("module", ""));
  EXPECT_EQ(found.whole_module, expected.contains("module"));
  for (const json& name : expected.value("left_out", json::array())) {
    EXPECT_EQ(found.table.find(name.get<std::string>()), nullptr);
  }
  if (!expected.contains("tensors")) return;
  EXPECT_EQ(found.table.entries().size(), expected["tensors"].size());
  for (const auto& [name, tensor] : expected["tensors"].items()) {
    const WeightTable::Entry* entry = found.table.find(name);
    ASSERT_NE(entry, nullptr) << name;
    expect_numbers(*file, *entry, tensor);
  }
}

INSTANTIATE_TEST_SUITE_P(Archives, Fixtures, testing::ValuesIn(fixtures()),
                         [](const testing::TestParamInfo<Fixture>& parameter) { return parameter.param.title; });

// A folder that went missing must not make the suite above silently small.
TEST(FixtureFolder, HoldsTheVersionsThatMatter) {
  std::set<std::string> kinds;
  std::set<std::string> versions;
  for (const Fixture& fixture : fixtures()) {
    kinds.insert(fixture.expected["kind"].get<std::string>());
    versions.insert(std::filesystem::path(fixture.path).parent_path().filename().string());
  }
  for (const char* version : {"1.0.0", "1.4.0", "1.4.0-python2", "1.5.0", "1.6.0", "1.13.1", "2.0.1", "2.1.2", "2.5.1",
                              "2.6.0", "2.7.1", "2.8.0", "2.9.1", "2.11.0", "2.15.0"}) {
    EXPECT_EQ(versions.count(version), 1U) << version;
  }
  for (const char* kind : {"torch_save_zip", "torch_save_legacy", "safetensors", "torchscript", "lite_interpreter",
                           "exported_program", "exported_program_old", "torch_package"}) {
    EXPECT_EQ(kinds.count(kind), 1U) << kind;
  }
}

}  // namespace
}  // namespace ptrun::archive
