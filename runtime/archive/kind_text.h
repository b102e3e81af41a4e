// What kind.cpp asks about content that fixed bytes do not tell.
#pragma once

#include <string_view>

#include "archive/kind.h"

namespace ptrun::archive {

// web_page, json_text or text, or unknown when `head` is not readable text.
Kind text_kind(std::string_view head);
// True when the tar's first members are those of torch.save 0.1.
bool tar_is_torch_save(const ByteSource& source);

}  // namespace ptrun::archive
