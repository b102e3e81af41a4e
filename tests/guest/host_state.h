// Everything of a process that a library could change behind its back.
#pragma once

#include <string>

namespace ptrun::test {

// One line for each thing: handlers and masks of signals, locale, rounding and denormal mode, environment, folder,
// umask, limits, descriptors. Two states that are equal are the same text.
std::string host_state();

// Threads of this process. `expected`: waits up to ten seconds until no more are left, for threads end a little after
// they are joined, and those of OpenMP after their master.
int thread_count();
int thread_count(int expected);

}  // namespace ptrun::test
