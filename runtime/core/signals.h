#pragma once

namespace ptrun {

// Blocks every signal but those of faults in the calling thread: signals are the host's, its own threads handle them.
void leave_signals_to_the_host();

}  // namespace ptrun
