// The attention of every set of loops that this processor runs against the plain one's.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <initializer_list>
#include <limits>
#include <random>
#include <string>

#include "compare_loops.h"
#include "kernels/elements.h"
#include "kernels/kernels.h"

namespace ptrun::kernels {
namespace {

struct Size {
  std::size_t queries, keys, width;
  std::size_t gap = 3;  // elements behind each token that belong to no token of this head
};

// Tokens of one head, with NaN between them and nothing behind the last one.
template <typename E>
struct Head {
  Head(const Size& given, float scale_of_scores = 0.7F)
      : size(given), stride(given.width + given.gap), scale(scale_of_scores) {
    Numbers numbers;
    const auto make = [&](std::size_t tokens) {
      auto made = numbers.make<E>(tokens * stride - size.gap);
      for (std::size_t i = 0; i < made.size(); ++i) {
        if (i % stride >= size.width) narrow(NAN, made[i]);
      }
      return made;
    };
    queries = make(size.queries);
    keys = make(size.keys);
    values = make(size.keys);
  }

  // [queries, width] close together
  std::vector<E> run(const Loops& loops) const {
    std::vector<E> out(size.queries * stride - size.gap, E{7});
    Attention attention;
    attention.queries = queries.data();
    attention.keys = keys.data();
    attention.values = values.data();
    attention.out = out.data();
    attention.query_stride = attention.key_stride = attention.value_stride = attention.out_stride = stride;
    attention.query_count = size.queries;
    attention.key_count = size.keys;
    attention.width = size.width;
    attention.scale = scale;
    const AttentionRoom room(attention, sizeof(E));
    // What the scratch holds from before must not matter.
    std::vector<float> scratch(room.size + 1, NAN);
    scratch.back() = 5;
    attention.scratch = scratch.data();
    loops.attention(attention);
    EXPECT_EQ(scratch.back(), 5);
    std::vector<E> close;
    for (std::size_t i = 0; i < out.size(); ++i) {
      if (i % stride < size.width) {
        close.push_back(out[i]);
      } else {
        EXPECT_EQ(out[i], E{7}) << "between tokens";
      }
    }
    return close;
  }

  std::string name(const Set& set) const {
    return std::string(set.name) + ", " + std::to_string(size.queries) + " to " + std::to_string(size.keys) +
           " of width " + std::to_string(size.width);
  }

  void compare() const {
    const auto expected = run(*loops_of<E>(sets().back()));
    for (const Set& set : sets()) {
      const Loops* loops = loops_of<E>(set);
      if (set.usable() && loops != nullptr) expect_close(expected, run(*loops), name(set));
    }
  }

  Size size;
  std::size_t stride;
  float scale;
  std::vector<E> queries, keys, values;
};

template <typename E>
class AttentionOf : public testing::Test {};
using Elements = testing::Types<float, std::uint16_t>;
TYPED_TEST_SUITE(AttentionOf, Elements, );

TYPED_TEST(AttentionOf, EverySetGivesThePlainOnesNumbers) {
  for (const std::size_t queries : Sizes{1, 15, 33, 60}) {
    for (const std::size_t keys : Sizes{1, 2, 16, 17, 31, 33, 49, 64}) {
      for (const std::size_t width : Sizes{2, 10, 16, 30, 32, 40, 64, 80}) {
        Head<TypeParam>({queries, keys, width}).compare();
      }
    }
  }
}

TYPED_TEST(AttentionOf, EverySetGivesThePlainOnesNumbersForManyTokens) {
  for (const std::size_t tokens : Sizes{16, 31, 49, 65, 197, 300}) {
    for (const std::size_t width : Sizes{2, 32, 64, 80}) Head<TypeParam>({tokens, tokens, width, 0}).compare();
  }
}

// Shares far below the largest one, which a small difference between large scores makes.
TYPED_TEST(AttentionOf, LargeScoresDoNotOverflow) {
  Head<TypeParam> head({40, 70, 32}, 1.0F);
  for (std::size_t i = 0; i < head.queries.size(); ++i) {
    // Few bits, whose products and sums are exact in every order.
    narrow(static_cast<float>(i * 7 % 11) * 8 - 40, head.queries[i]);
  }
  for (std::size_t i = 0; i < head.keys.size(); ++i) narrow(static_cast<float>(i * 5 % 13) - 6, head.keys[i]);
  head.compare();
}

TYPED_TEST(AttentionOf, AQueryThatIsNoNumberSpoilsItsOwnRowOnly) {
  for (const float poison : {NAN, std::numeric_limits<float>::infinity()}) {
    const Size size{40, 49, 32};
    Head<TypeParam> head(size);
    const auto good = head.run(*loops_of<TypeParam>(sets().back()));
    constexpr std::size_t kRow = 18;
    narrow(poison, head.queries[kRow * head.stride + 3]);
    for (const Set& set : sets()) {
      const Loops* loops = loops_of<TypeParam>(set);
      if (!set.usable() || loops == nullptr) continue;
      auto found = head.run(*loops);
      for (std::size_t i = kRow * size.width; i < (kRow + 1) * size.width; ++i) {
        EXPECT_TRUE(std::isnan(widen(found[i]))) << head.name(set);
        found[i] = good[i];
      }
      expect_close(good, found, head.name(set));
    }
  }
}

}  // namespace
}  // namespace ptrun::kernels
