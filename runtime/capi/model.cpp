#include "ptrun/model.h"

#include "capi/model.h"
#include "capi/options.h"
#include "ptrun/device.h"
#include "ptrun/inspect.h"

using namespace ptrun::capi;

ptrun_status ptrun_load(const char* path, const ptrun_load_options* options, ptrun_model** out) {
  return guarded([&] {
    require(out, "out");
    require(path, "path");
    auto model = std::make_shared<ModelHandle>(ptrun::load_model(path, load_options(options)));
    *out = static_cast<ptrun_model*>(add_handle(std::move(model)));
  });
}

ptrun_status ptrun_model_free(ptrun_model* model) {
  return guarded([&] { take<ModelHandle>(model); });
}

ptrun_status ptrun_model_get_info(ptrun_model* model, ptrun_model_info* info) {
  return guarded([&] {
    require(info, "ptrun_model_info");
    const auto handle = find<ModelHandle>(model);
    const ptrun::Model& found = handle->model;
    ptrun_model_info made{};
    made.kind = found.kind().c_str();
    made.architecture = found.architecture().c_str();
    made.task = ptrun::to_string(found.task());
    made.labels_source = found.labels().source.c_str();
    made.parameters = found.parameters();
    made.label_count = found.labels().names.size();
    made.note_count = found.notes().size();
    made.input_height = found.preset().values.input_height;
    made.input_width = found.preset().values.input_width;
    write_sized("ptrun_model_info", info, info->size, made);
  });
}

namespace {

const char* text_at(const char* what, const std::vector<std::string>& texts, std::size_t index) {
  if (index >= texts.size()) {
    refuse(what, "number " + std::to_string(index) + " was asked for, there are " + std::to_string(texts.size()));
  }
  return texts[index].c_str();
}

ptrun_text* made_text(std::string text) {
  return static_cast<ptrun_text*>(add_handle(std::make_shared<TextHandle>(std::move(text))));
}

}  // namespace

ptrun_status ptrun_model_get_label(ptrun_model* model, size_t index, const char** out) {
  return guarded([&] {
    require(out, "out");
    *out = text_at("label", find<ModelHandle>(model)->model.labels().names, index);
  });
}

ptrun_status ptrun_model_get_note(ptrun_model* model, size_t index, const char** out) {
  return guarded([&] {
    require(out, "out");
    *out = text_at("note", find<ModelHandle>(model)->model.notes(), index);
  });
}

ptrun_status ptrun_inspect(const char* path, int32_t verify, ptrun_text** out) {
  return guarded([&] {
    require(out, "out");
    require(path, "path");
    ptrun::InspectOptions options;
    options.verify = verify != 0;
    *out = made_text(ptrun::to_json(ptrun::inspect(path, options)));
  });
}

ptrun_status ptrun_devices(ptrun_text** out) {
  return guarded([&] {
    require(out, "out");
    std::string names;
    for (const ptrun::DeviceInfo& info : ptrun::devices()) names += info.name + '\n';
    *out = made_text(std::move(names));
  });
}

ptrun_status ptrun_text_get(ptrun_text* text, const char** data, size_t* length) {
  return guarded([&] {
    require(data, "data");
    const auto found = find<TextHandle>(text);
    *data = found->text.c_str();
    if (length != nullptr) *length = found->text.size();
  });
}

ptrun_status ptrun_text_free(ptrun_text* text) {
  return guarded([&] { take<TextHandle>(text); });
}
