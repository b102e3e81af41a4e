// Preprocessing settings. timm's names and meanings where timm has them (timm/data/config.py).
#pragma once

#include <array>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "ptrun/export.h"

namespace ptrun {

// How a resized pixel is made of the pixels around it.
enum class Interpolation { nearest, box, bilinear, hamming, bicubic, lanczos };  // Pillow's six filters
// What happens to the aspect of an image.
enum class ResizeMode {
  shortest,  // the short side becomes resize_size, aspect kept, then crop (torchvision, timm)
  // Both sides become input_size / crop_pct, aspect lost, then crop: timm's "squash", and with crop_pct 1, the default
  // of this mode in resolve_preset(), torchvision's Resize((height, width)).
  stretch,
  letterbox,  // the whole image fits into input_size, the rest is pad_value (ultralytics)
};
// What happens to what is longer than the input.
enum class CropMode {
  center,  // the middle input_size of the resized image (torchvision CenterCrop)
  border,  // the long side becomes input_size / crop_pct, the rest is pad_value, nothing is lost (timm)
  // With resize_mode shortest: nothing is cut off or added, the input is as large as the resized image, one image a
  // call (torchvision's segmentation networks). input_size is square then.
  none,
};
// Which colour comes first in the tensor.
enum class ChannelOrder { rgb, bgr };
// Whose pixels a resize gives.
enum class ResizeBackend {
  pillow,  // uint8 in, uint8 out, bit-equal to Pillow
  tensor,  // torchvision's tensor path
  opencv,  // cv::INTER_LINEAR, ultralytics' letterbox
};
// Whether the orientation tag of a photo turns it.
enum class ExifRule { apply, ignore };  // torchvision and timm ignore the tag
// How other colour modes become RGB.
enum class ColorRule { rgb };  // Pillow's convert("RGB"): alpha dropped, CMYK and palette converted

// One complete set of settings; the defaults are torchvision's for ImageNet.
struct Preset {
  int input_height = 224;  // pixels
  int input_width = 224;
  // Short side before the crop, pixels. 0 (text: "auto"): from crop_pct, floor(input_size / crop_pct) on each side, as
  // timm does.
  int resize_size = 0;
  double crop_pct = 0.875;  // (0, 1]
  Interpolation interpolation = Interpolation::bilinear;
  ResizeMode resize_mode = ResizeMode::shortest;
  CropMode crop_mode = CropMode::center;
  std::array<double, 3> mean = {0.485, 0.456, 0.406};  // of values already multiplied by rescale, in channel_order
  std::array<double, 3> std = {0.229, 0.224, 0.225};
  double rescale = 1.0 / 255.0;  // uint8 0..255 times this, before mean and std
  ChannelOrder channel_order = ChannelOrder::rgb;
  int pad_value = 114;    // 0..255, all channels; -1: the mean, as timm pads (text: "mean")
  bool antialias = true;  // Pillow always antialiases: false is refused with resize_backend pillow
  ResizeBackend resize_backend = ResizeBackend::pillow;
  ExifRule exif = ExifRule::apply;
  ColorRule color = ColorRule::rgb;
};

// Some of a preset's fields, and where they came from. An empty field says nothing.
struct PresetLayer {
  std::string source;    // for example "command line", "photos.pt.ptrun.json"
  bool assumed = false;  // a guess, which is worth one warning line
  std::optional<int> input_height;
  std::optional<int> input_width;
  std::optional<int> resize_size;
  std::optional<double> crop_pct;
  std::optional<Interpolation> interpolation;
  std::optional<ResizeMode> resize_mode;
  std::optional<CropMode> crop_mode;
  std::optional<std::array<double, 3>> mean;
  std::optional<std::array<double, 3>> std;
  std::optional<double> rescale;
  std::optional<ChannelOrder> channel_order;
  std::optional<int> pad_value;
  std::optional<bool> antialias;
  std::optional<ResizeBackend> resize_backend;
  std::optional<ExifRule> exif;
  std::optional<ColorRule> color;
};

// Where a resolved field's value came from.
struct PresetOrigin {
  std::string source;
  bool assumed = false;
};

// The settings that are used, each with its origin.
struct ResolvedPreset {
  Preset values;
  std::map<std::string, PresetOrigin, std::less<>> origins;  // field name -> origin, every field present
};

// Field by field, the first layer that has the field wins; what none has is Preset's default ("ImageNet
// default", assumed), but crop_pct 1 for stretch, letterbox and crop_mode none, and pad_value "mean" for border. A
// layer that sets crop_pct hides resize_size of the layers below it; a resize_size is scaled when a layer above sets
// another input size. Throws invalid_argument naming the field and its layer when a value is out of its range. Any
// thread.
PTRUN_API ResolvedPreset resolve_preset(const std::vector<PresetLayer>& layers);

// Sets one field from text: `field` is a name from preset_field_names(), `value` as on the command line
// ("0.485,0.456,0.406", "bicubic", "1/255"; what means something else than its number has a name, "auto", "mean";
// "input_size" sets both sides: "224", "224x320" (height x width) or "3,224,224"; "mean" and "std" accept one number
// for all channels). Throws invalid_argument naming both, with what would be accepted.
PTRUN_API void set_preset_field(PresetLayer& layer, std::string_view field, std::string_view value);

// The field's value as text that set_preset_field accepts. Throws invalid_argument for an unknown field.
PTRUN_API std::string preset_field_text(const Preset& preset, std::string_view field);

// Every field name in the order in which tools show them, with "input_size" for the two sides.
PTRUN_API const std::vector<std::string_view>& preset_field_names();

}  // namespace ptrun
