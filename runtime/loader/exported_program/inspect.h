// What ptrun inspect says about a torch.export program.
#pragma once

#include "archive/exported_program.h"
#include "ptrun/inspect.h"

namespace ptrun::exported {

// Adds producer, inputs, outputs, task, weights, operators and those that ptrun lacks to `found`. Source lines and
// paths of the training code, which the file may hold, are left out.
void describe(const archive::exported::Archive& archive, Inspection& found);

}  // namespace ptrun::exported
