// Preprocessing of a partly decoded image equals that of the whole one, for every file and way to resize.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "preprocess/preprocess.h"
#include "unit/image/test_files.h"

namespace ptrun {
namespace {

Preset preset_of(const std::vector<std::pair<std::string, std::string>>& fields) {
  PresetLayer layer;
  for (const auto& [field, value] : fields) set_preset_field(layer, field, value);
  return resolve_preset({layer}).values;
}

TEST(SourceRegion, TheTensorIsThatOfTheWholeImage) {
  const std::vector<Preset> presets = {
      preset_of({}),
      preset_of({{"resize_size", "256"}, {"interpolation", "bicubic"}}),
      preset_of({{"input_size", "64"}, {"crop_pct", "0.5"}, {"interpolation", "lanczos"}}),
      preset_of({{"input_size", "96x200"}, {"interpolation", "box"}, {"crop_pct", "0.7"}}),
      preset_of({{"input_size", "100"}, {"interpolation", "nearest"}, {"resize_size", "300"}}),
      preset_of({{"input_size", "128"}, {"resize_mode", "letterbox"}}),
      preset_of({{"input_size", "90x70"}, {"resize_mode", "stretch"}, {"crop_pct", "0.8"}}),
      preset_of({{"input_size", "300"}, {"crop_mode", "border"}, {"interpolation", "hamming"}}),
      preset_of({{"input_size", "700"}, {"resize_size", "900"}}),
  };
  std::size_t compared = 0;
  for (const char* folder : {"photos", "derived"}) {
    for (const auto& entry : std::filesystem::directory_iterator(std::string(PTRUN_TEST_DATA) + "/" + folder)) {
      if (entry.path().extension() != ".jpg") continue;
      const std::string bytes = test::read_data(folder + ("/" + entry.path().filename().string()));
      const image::Pixels whole = test::decode(bytes);
      if (whole.width < 16 || whole.height < 16) continue;
      for (const Preset& preset : presets) {
        image::DecodeOptions options;
        options.region = [&](int width, int height) { return source_region(width, height, preset); };
        image::Pixels part;
        part.data.assign(whole.data.size(), 0x5A);
        image::decode(bytes, "test", options, part);
        const std::size_t size =
            3 * static_cast<std::size_t>(preset.input_height) * static_cast<std::size_t>(preset.input_width);
        std::vector<float> expected(size);
        std::vector<float> found(size);
        for (const ResizeKernel& kernel : resize_kernels()) {
          if (!kernel.usable()) continue;
          PreprocessScratch scratch;
          scratch.resize.kernel = &kernel;
          preprocess(whole, preset, scratch, expected.data());
          preprocess(part, preset, scratch, found.data());
          ASSERT_EQ(found, expected) << entry.path() << " " << kernel.name << " "
                                     << preset_field_text(preset, "input_size");
          ++compared;
        }
      }
    }
  }
  EXPECT_GE(compared, 20U * presets.size());
}

}  // namespace
}  // namespace ptrun
