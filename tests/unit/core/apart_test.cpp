#include "core/apart.h"

#include <gtest/gtest.h>

#include <memory>
#include <stdexcept>
#include <string>

namespace ptrun {
namespace {

TEST(ApartTest, AnotherThreadDoesTheWork) {
  const std::thread::id here = std::this_thread::get_id();
  std::thread::id there = here;
  apart([&] { there = std::this_thread::get_id(); });
  EXPECT_NE(there, here);
}

TEST(ApartTest, WhatItReturnsOrThrowsArrives) {
  EXPECT_EQ(*apart([] { return std::make_unique<int>(7); }), 7);
  std::string text;
  try {
    apart([]() -> int { throw std::out_of_range("the work's own"); });
  } catch (const std::out_of_range& error) {
    text = error.what();
  }
  EXPECT_EQ(text, "the work's own");
}

}  // namespace
}  // namespace ptrun
