#include "core/signals.h"

#include <signal.h>

namespace ptrun {

void leave_signals_to_the_host() {
  sigset_t all;
  sigfillset(&all);
  pthread_sigmask(SIG_BLOCK, &all, nullptr);
}

}  // namespace ptrun
