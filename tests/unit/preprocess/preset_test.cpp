#include "ptrun/preset.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "ptrun/error.h"

namespace ptrun {
namespace {

using ::testing::HasSubstr;

PresetLayer layer(const std::string& source, const std::vector<std::pair<std::string, std::string>>& fields) {
  PresetLayer out;
  out.source = source;
  for (const auto& [name, value] : fields) set_preset_field(out, name, value);
  return out;
}

std::string refusal(const std::string& field, const std::string& value) {
  PresetLayer out;
  try {
    set_preset_field(out, field, value);
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::invalid_argument);
    return error.what();
  }
  ADD_FAILURE() << field << " accepted " << value;
  return {};
}

TEST(Preset, NothingSetIsImageNet) {
  const ResolvedPreset preset = resolve_preset({});
  EXPECT_EQ(preset.values.input_height, 224);
  EXPECT_EQ(preset.values.crop_pct, 0.875);
  for (const std::string_view name : preset_field_names()) {
    ASSERT_EQ(preset.origins.count(name), 1U) << name;
    EXPECT_EQ(preset.origins.find(name)->second.source, "ImageNet default");
    EXPECT_TRUE(preset.origins.find(name)->second.assumed);
  }
}

TEST(Preset, TheFirstLayerThatHasAFieldWins) {
  const ResolvedPreset preset = resolve_preset({layer("command line", {{"mean", "0.5"}}),
                                                layer("weights", {{"mean", "0.1,0.2,0.3"}, {"std", "0.25"}}),
                                                layer("family", {{"std", "1"}, {"interpolation", "bicubic"}})});
  EXPECT_EQ(preset.values.mean, (std::array<double, 3>{0.5, 0.5, 0.5}));
  EXPECT_EQ(preset.values.std, (std::array<double, 3>{0.25, 0.25, 0.25}));
  EXPECT_EQ(preset.values.interpolation, Interpolation::bicubic);
  EXPECT_EQ(preset.origins.at("mean").source, "command line");
  EXPECT_EQ(preset.origins.at("std").source, "weights");
  EXPECT_FALSE(preset.origins.at("std").assumed);
}

TEST(Preset, CropPctHidesTheResizeSizeBelowIt) {
  const PresetLayer weights = layer("weights", {{"resize_size", "232"}});
  EXPECT_EQ(resolve_preset({weights}).values.resize_size, 232);
  EXPECT_EQ(resolve_preset({layer("command line", {{"crop_pct", "0.9"}}), weights}).values.resize_size, 0);
  EXPECT_EQ(resolve_preset({layer("command line", {{"crop_pct", "0.9"}, {"resize_size", "300"}}), weights})
                .values.resize_size,
            300);
}

TEST(Preset, ResizeSizeFollowsAnotherInputSize) {
  const PresetLayer weights = layer("weights", {{"resize_size", "256"}, {"input_size", "224"}});
  const ResolvedPreset larger = resolve_preset({layer("command line", {{"input_size", "448"}}), weights});
  EXPECT_EQ(larger.values.resize_size, 512);
  EXPECT_EQ(larger.origins.at("resize_size").source, "weights, scaled to input_size");
  EXPECT_EQ(resolve_preset({layer("command line", {{"input_size", "224"}}), weights}).values.resize_size, 256);
  const PresetLayer own = layer("command line", {{"input_size", "448"}, {"resize_size", "460"}});
  EXPECT_EQ(resolve_preset({own, weights}).values.resize_size, 460);
}

TEST(Preset, OtherModesHaveDefaultsOfTheirOwn) {
  EXPECT_EQ(resolve_preset({layer("x", {{"resize_mode", "stretch"}})}).values.crop_pct, 1.0);
  EXPECT_EQ(resolve_preset({layer("x", {{"resize_mode", "stretch"}, {"crop_pct", "0.9"}})}).values.crop_pct, 0.9);
  EXPECT_EQ(resolve_preset({layer("x", {{"crop_mode", "border"}})}).values.pad_value, -1);
  EXPECT_EQ(resolve_preset({layer("x", {{"crop_mode", "none"}})}).values.crop_pct, 1.0);
  EXPECT_EQ(resolve_preset({layer("x", {{"resize_mode", "letterbox"}})}).values.pad_value, 114);
}

TEST(Preset, InputSizeHasThreeForms) {
  const auto sides = [](const std::string& text) {
    const PresetLayer out = layer("", {{"input_size", text}});
    return std::pair(*out.input_height, *out.input_width);
  };
  EXPECT_EQ(sides("224"), std::pair(224, 224));
  EXPECT_EQ(sides("224x320"), std::pair(224, 320));
  EXPECT_EQ(sides("3,224,320"), std::pair(224, 320));
  EXPECT_EQ(sides("224, 320"), std::pair(224, 320));
  for (const char* text : {"", "0", "-1", "224x", "x224", "1,224,224", "224x224x224x2", "cat.jpg", "99999", "2.5"})
    EXPECT_THAT(refusal("input_size", text), HasSubstr("input_size: \"")) << text;
  EXPECT_THAT(refusal("input_size", "cat"), HasSubstr("224x320 (height x width) or 3,224,224"));
}

TEST(Preset, EveryFieldRoundTripsThroughText) {
  const Preset presets[] = {{},
                            resolve_preset({layer("x", {{"input_size", "33x44"},
                                                        {"resize_size", "77"},
                                                        {"crop_pct", "0.9"},
                                                        {"interpolation", "lanczos"},
                                                        {"resize_mode", "letterbox"},
                                                        {"crop_mode", "border"},
                                                        {"mean", "103.53,116.28,123.675"},
                                                        {"std", "1/3"},
                                                        {"rescale", "1"},
                                                        {"channel_order", "bgr"},
                                                        {"pad_value", "mean"},
                                                        {"antialias", "false"},
                                                        {"resize_backend", "opencv"},
                                                        {"exif", "ignore"}})})
                                .values};
  for (const Preset& preset : presets) {
    PresetLayer copy;
    for (const std::string_view name : preset_field_names())
      set_preset_field(copy, name, preset_field_text(preset, name));
    const Preset back = resolve_preset({copy}).values;
    for (const std::string_view name : preset_field_names())
      EXPECT_EQ(preset_field_text(back, name), preset_field_text(preset, name)) << name;
    EXPECT_EQ(back.rescale, preset.rescale);
    EXPECT_EQ(back.std, preset.std);
  }
}

TEST(Preset, BadValuesAreRefusedWithWhatIsAccepted) {
  EXPECT_THAT(refusal("interpolation", "cubic"),
              HasSubstr("\"cubic\" was found, expected one of nearest, box, bilinear, hamming, bicubic, lanczos"));
  EXPECT_THAT(refusal("crop_pct", "1.2"), HasSubstr("more than 0 and at most 1"));
  EXPECT_THAT(refusal("crop_pct", "nan"), HasSubstr("a number"));
  EXPECT_THAT(refusal("std", "0"), HasSubstr("above 0"));
  EXPECT_THAT(refusal("std", "1e-60"), HasSubstr("above 0"));
  EXPECT_THAT(refusal("mean", "0.5,0.5"), HasSubstr("0.485,0.456,0.406"));
  EXPECT_THAT(refusal("pad_value", "256"), HasSubstr("0 to 255"));
  EXPECT_THAT(refusal("rescale", "1/0"), HasSubstr("a number"));
  EXPECT_THAT(refusal("antialias", "maybe"), HasSubstr("true, false"));
  for (const char* value : {"-5", "0", "-1", "99999", "x"})
    EXPECT_THAT(refusal("resize_size", value), HasSubstr("auto (from crop_pct)")) << value;
  for (const char* value : {"-1", "-2", "x"}) EXPECT_THAT(refusal("pad_value", value), HasSubstr("or mean")) << value;
  EXPECT_THAT(refusal("interpolaton", "bicubic"), HasSubstr("did you mean interpolation?"));
  EXPECT_THAT(refusal("zzz", "1"), HasSubstr("expected one of input_size"));
  EXPECT_THROW(preset_field_text({}, "zzz"), Error);
}

TEST(Preset, AValueOutOfItsRangeNamesItsLayer) {
  PresetLayer bad;
  bad.source = "model.pt.ptrun.json";
  bad.crop_pct = 3.0;
  try {
    resolve_preset({bad});
    ADD_FAILURE();
  } catch (const Error& error) {
    EXPECT_STREQ(error.what(), "model.pt.ptrun.json: crop_pct is 3, expected more than 0 and at most 1");
  }
}

}  // namespace
}  // namespace ptrun
