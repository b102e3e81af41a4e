// One way to say that something has to be refused, and with which words.
#pragma once

#include <gtest/gtest.h>

#include <string>

#include "ptrun/error.h"

namespace ptrun::test {

// Runs `action`, which has to throw Error with `code` and a text that contains `words`.
template <typename Action>
void expect_error(ErrorCode code, const std::string& words, Action&& action) {
  SCOPED_TRACE("expected: " + words);
  try {
    action();
  } catch (const Error& error) {
    EXPECT_EQ(to_string(error.code()), std::string(to_string(code))) << error.what();
    EXPECT_NE(std::string(error.what()).find(words), std::string::npos) << error.what();
    return;
  } catch (const std::exception& other) {
    ADD_FAILURE() << "another exception: " << other.what();
    return;
  }
  ADD_FAILURE() << "nothing was thrown";
}

}  // namespace ptrun::test
