#include "core/signals.h"

#include <signal.h>

#include <initializer_list>

namespace ptrun {

void leave_signals_to_the_host() {
  sigset_t all;
  sigfillset(&all);
  // A fault belongs to the thread that makes it: blocked, the kernel ends the process past the host's crash handler.
  for (const int fault : {SIGBUS, SIGFPE, SIGILL, SIGSEGV, SIGSYS, SIGTRAP}) sigdelset(&all, fault);
  pthread_sigmask(SIG_BLOCK, &all, nullptr);
}

}  // namespace ptrun
