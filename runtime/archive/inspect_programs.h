// The part of inspect_archive for zips that carry a program: TorchScript, torch.export, AOTInductor.
#pragma once

#include "archive/inspect_archive.h"

namespace ptrun::archive {

// Adds findings, tensors and classes of the archive to `found`.
void inspect_program(const ZipArchive& zip, Kind kind, const Limits& limits, ArchiveInspection& found);

}  // namespace ptrun::archive
