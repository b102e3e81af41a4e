// What inspect tells about files that real PyTorch versions wrote, and about class names beside weights.
#include "archive/inspect_archive.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "support/expect_error.h"
#include "support/pt_bytes.h"

namespace ptrun::archive {
namespace {

using test::PickleBytes;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

ArchiveInspection inspect_file(const std::string& name, bool verify = false) {
  return inspect_archive(open_file(std::string(PTRUN_TEST_DATA) + "/archives/" + name), verify);
}

std::string finding(const ArchiveInspection& found, const std::string& name) {
  for (const Finding& row : found.findings) {
    EXPECT_FALSE(row.source.empty()) << row.name;
    if (row.name == name) return row.value;
  }
  return "(none)";
}

TEST(InspectArchive, TellsStateDictCheckpointModuleAndTensorApart) {
  EXPECT_EQ(inspect_file("2.15.0/ordered.pt").word, "state_dict");
  EXPECT_EQ(inspect_file("2.15.0/checkpoint.pt").word, "checkpoint");
  EXPECT_EQ(inspect_file("2.15.0/module.pt").word, "pickled_module");
  EXPECT_EQ(inspect_file("2.15.0/tensor.pt").word, "tensor");
  EXPECT_EQ(inspect_file("1.4.0/ordered.pt").word, "state_dict");
  EXPECT_EQ(inspect_file("2.15.0/dtypes.safetensors").word, "safetensors");
  EXPECT_EQ(inspect_file("2.15.0/script.pt").word, "torchscript");
  EXPECT_EQ(inspect_file("2.15.0/lite.ptl").word, "lite_interpreter");
  EXPECT_EQ(inspect_file("2.15.0/export.pt2").word, "exported_program");
  EXPECT_EQ(inspect_file("2.6.0/export.pt2").word, "exported_program_old");
}

TEST(InspectArchive, CountsTensorsAndParameters) {
  const ArchiveInspection found = inspect_file("2.15.0/ordered.pt");
  ASSERT_EQ(found.tensors.size(), 4U);
  EXPECT_EQ(found.tensors[0].name, "conv.weight");
  EXPECT_EQ(found.tensors[0].dtype, DType::float32);
  EXPECT_THAT(found.tensors[0].shape, ElementsAre(4, 3, 3, 3));
  EXPECT_EQ(found.parameters, 108 + 4 + 20 + 5);
  EXPECT_EQ(finding(found, "tensors in the file"), "4 float32");
  EXPECT_EQ(finding(found, "format version"), "3");
  EXPECT_EQ(finding(found, "byte order"), "little");
  EXPECT_EQ(finding(found, "pickle protocol"), "2");
  EXPECT_EQ(finding(found, "saved from devices"), "4 cpu");
}

TEST(InspectArchive, NamesWhatAPickleAsksPythonFor) {
  EXPECT_EQ(finding(inspect_file("2.15.0/ordered.pt"), "other names"), "(none)");
  EXPECT_EQ(finding(inspect_file("2.15.0/module.pt"), "other names"), "(none)") << "its classes are listed with places";
  EXPECT_EQ(finding(inspect_file("2.15.0/checkpoint.pt"), "other names"), "argparse.Namespace");
  EXPECT_EQ(finding(inspect_file("2.15.0/checkpoint.pt"), "note"), "(none)");
  for (const auto& [module, name] : {std::pair("posix", "system"), std::pair("torch", "load")}) {
    PickleBytes pickle;
    pickle.raw("}").text("x").global(module, name).mark().text("payload").tuple().reduce().raw("s");
    const std::string file = test::torch_zip(pickle.stop(), {});
    const ArchiveInspection found = inspect_archive(from_memory("evil.pt", file), false);
    EXPECT_EQ(finding(found, "other names"), std::string(module) + "." + name);
    EXPECT_THAT(finding(found, "note"), HasSubstr(std::string("tells Python to call ") + module + "." + name));
  }
}

TEST(InspectArchive, SaysWhereWeightsStandAndWhatWasRemoved) {
  const ArchiveInspection compiled = inspect_file("2.15.0/compiled.pt");
  EXPECT_EQ(finding(compiled, "weights"), "under key 'model'");
  EXPECT_EQ(finding(compiled, "prefix removed"), "_orig_mod.module.");
  const ArchiveInspection lightning = inspect_file("2.15.0/lightning.ckpt");
  EXPECT_EQ(finding(lightning, "pytorch-lightning_version"), "1.9.0");
  EXPECT_EQ(finding(lightning, "epoch"), "1");
  EXPECT_EQ(finding(inspect_file("2.15.0/cuda.pt"), "saved from devices"), "4 cuda:0");
  EXPECT_EQ(finding(inspect_file("2.15.0/big_endian.pt"), "byte order"), "big");
  EXPECT_THAT(finding(inspect_file("2.15.0/layouts.pt"), "layouts"), HasSubstr("2 sparse"));
}

TEST(InspectArchive, ListsTheClassesOfAPickledModule) {
  const ArchiveInspection found = inspect_file("2.15.0/module.pt");
  EXPECT_THAT(
      found.classes,
      ElementsAre("archive_net.Net", "torch.nn.modules.container.Sequential at features",
                  "torch.nn.modules.conv.Conv2d at features.0", "torch.nn.modules.batchnorm.BatchNorm2d at features.1",
                  "torch.nn.modules.activation.ReLU at features.2", "torch.nn.modules.pooling.MaxPool2d at features.3",
                  "torch.nn.modules.linear.Linear at fc"));
  EXPECT_EQ(found.parameters, 108 + 4 + 4 + 4 + 20 + 5 + 6);
}

TEST(InspectArchive, ReadsProgramsWithoutRunningThem) {
  const ArchiveInspection script = inspect_file("2.15.0/script.pt");
  EXPECT_EQ(finding(script, "extra files"), "notes.txt");
  EXPECT_THAT(finding(script, "code files"), HasSubstr("__torch__"));
  ASSERT_EQ(script.tensors.size(), 2U);
  EXPECT_EQ(script.tensors[0].name, "0.weight");
  EXPECT_EQ(script.parameters, 6 + 2);
  EXPECT_THAT(script.classes, testing::Contains(HasSubstr("__torch__.torch.nn.modules.conv.Conv2d at 0")));
  EXPECT_EQ(finding(inspect_file("2.15.0/trace.pt"), "traced"), "yes");
  EXPECT_EQ(finding(inspect_file("2.15.0/lite.ptl"), "lite interpreter"), "yes");
  EXPECT_EQ(finding(inspect_file("2.15.0/export.pt2"), "programs"), "model.json");
}

TEST(InspectArchive, VerifiesCheckSumsOnRequest) {
  EXPECT_EQ(finding(inspect_file("2.15.0/ordered.pt"), "check sums"), "(none)");
  EXPECT_THAT(finding(inspect_file("2.15.0/ordered.pt", true), "check sums"),
              HasSubstr("10 of 10 records have a CRC-32"));
  EXPECT_THAT(finding(inspect_file("2.15.0/no_crc.pt", true), "check sums"), HasSubstr("0 of"));
  EXPECT_THAT(finding(inspect_file("2.15.0/legacy.pt", true), "check sums"), HasSubstr("records no CRC"));
  EXPECT_THAT(finding(inspect_file("2.15.0/script.pt", true), "check sums"), HasSubstr("all right"));
  std::string bytes = test::good_zip();
  const auto zip = ZipArchive::open(from_memory("model.pt", bytes));
  bytes[zip->require("data/0").data_offset] ^= 1;
  EXPECT_NO_THROW(inspect_archive(from_memory("model.pt", bytes)));
  test::expect_error(ErrorCode::bad_model, "has CRC-32",
                     [&] { inspect_archive(from_memory("model.pt", bytes), true); });
}

std::vector<std::string> names_in(const PickleBytes& pickle, std::string& where) {
  const Pickle data = read_pickle(pickle.stop(), "model.pt", "data.pkl");
  return find_class_names(data, kNoNode, where);
}

TEST(ClassNames, AreFoundInTheUsualForms) {
  std::string where;
  PickleBytes list;
  list.raw("}").text("classes").raw("](").text("cat").text("dog").raw("es");
  EXPECT_THAT(names_in(list, where), ElementsAre("cat", "dog"));
  EXPECT_EQ(where, "classes");
  PickleBytes by_index;
  by_index.raw("}").text("names").raw("}(").integer(1).text("dog").integer(0).text("cat").raw("us");
  EXPECT_THAT(names_in(by_index, where), ElementsAre("cat", "dog"));
  PickleBytes by_name;
  by_name.raw("}").text("class_to_idx").raw("}(").text("dog").integer(1).text("cat").integer(0).raw("us");
  EXPECT_THAT(names_in(by_name, where), ElementsAre("cat", "dog"));
  EXPECT_EQ(where, "class_to_idx");
  PickleBytes meta;
  meta.raw("}").text("meta").raw("}").text("CLASSES").text("cat").text("dog").raw("\x86ss");
  EXPECT_THAT(names_in(meta, where), ElementsAre("cat", "dog"));
  EXPECT_EQ(where, "meta.CLASSES");
  PickleBytes mmengine;
  mmengine.raw("}").text("meta").raw("}").text("dataset_meta").raw("}").text("classes").text("cat").text("dog");
  mmengine.raw("\x86sss");
  EXPECT_THAT(names_in(mmengine, where), ElementsAre("cat", "dog"));
  EXPECT_EQ(where, "meta.dataset_meta.classes");
  PickleBytes words;
  words.raw("}").text("id2label").raw("}(").text("1").text("dog").text("0").text("cat").raw("us");
  EXPECT_THAT(names_in(words, where), ElementsAre("cat", "dog"));
  PickleBytes space;
  space.raw("}").text("args").global("argparse", "Namespace").raw(")\x81}").text("classes").raw("](");
  space.text("cat").text("dog").raw("esbs");
  EXPECT_THAT(names_in(space, where), ElementsAre("cat", "dog"));
  EXPECT_EQ(where, "args.classes");
}

TEST(ClassNames, AreNotMadeUp) {
  std::string where;
  PickleBytes gap;
  gap.raw("}").text("names").raw("}(").integer(0).text("cat").integer(2).text("dog").raw("us");
  EXPECT_THAT(names_in(gap, where), IsEmpty());
  PickleBytes twice;
  twice.raw("}").text("names").raw("}(").integer(0).text("cat").integer(0).text("dog").raw("us");
  EXPECT_THAT(names_in(twice, where), IsEmpty());
  PickleBytes numbers;
  numbers.raw("}").text("classes").raw("](").integer(3).integer(4).raw("es");
  EXPECT_THAT(names_in(numbers, where), IsEmpty());
}

}  // namespace
}  // namespace ptrun::archive
