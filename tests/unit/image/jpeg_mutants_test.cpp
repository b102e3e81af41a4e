// Damaged JPEGs by jpeg_baseline/ and by libjpeg alone: the same pixels or the same words of the same error.
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "unit/image/both_ways.h"
#include "unit/image/made_jpeg.h"

namespace ptrun {
namespace {

using test::Decoded;
using test::MadeJpeg;

std::vector<std::string> originals() {
  std::vector<std::string> files;
  for (int kind = 0; kind < 4; ++kind)
    for (const int restart : {0, 3}) {
      MadeJpeg made;
      made.width = 45 + kind;
      made.height = 37;
      made.components = kind == 0 ? 1 : 3;
      made.across = kind >= 2 ? 2 : 1;
      made.down = kind == 3 ? 2 : 1;
      made.restart = restart;
      made.optimise = kind % 2 == 1;
      made.quality = 60;
      files.push_back(test::make_jpeg(made));
    }
  return files;
}

TEST(JpegMutants, DecodeAlikeBothWays) {
  std::uint32_t state = 20261130;
  const auto random = [&](std::size_t below) {
    state = state * 1664525U + 1013904223U;
    return static_cast<std::size_t>(state >> 8U) % below;
  };
  const auto kernels = test::usable_kernels();
  image::Pixels ours;
  image::Pixels libjpegs;
  int refused = 0;
  int taken = 0;
  int left = 0;
  for (const std::string& file : originals()) {
    for (int i = 0; i < 2000; ++i) {
      std::string bytes = file;
      const std::size_t header = file.find("\xFF\xDA");
      const std::size_t from = i % 3 == 0 ? 0 : header;
      const std::size_t to = i % 3 == 0 ? header : file.size();
      for (std::size_t k = 0; k <= random(3); ++k) {
        const std::size_t at = from + random(to - from);
        // A bit more often than a byte: most of those are regular to the end.
        bytes[at] =
            static_cast<char>(i % 2 == 0 ? random(256) : static_cast<unsigned char>(bytes[at]) ^ 1U << random(8));
      }
      if (i % 10 == 0) bytes.resize(random(bytes.size()));
      if (i % 10 == 5) bytes.erase(from + random(to - from), 1 + random(5));
      if (i % 10 == 7) bytes.insert(from + random(to - from), 1 + random(5), static_cast<char>(random(256)));
      image::DecodeOptions options;
      options.limits.pixels = 300'000;
      if (i % 4 == 3) options.reduction = [&](int, int) { return 2 << i / 4 % 3; };
      const Decoded expected = test::decode_by(nullptr, bytes, libjpegs, options);
      const image::JpegKernel* kernel = kernels[static_cast<std::size_t>(i) % kernels.size()];
      const Decoded found = test::decode_by(kernel, bytes, ours, options);
      ASSERT_EQ(found.error, expected.error) << "mutant " << i << " by " << kernel->name;
      ASSERT_TRUE(found == expected) << "mutant " << i << " by " << kernel->name;
      (!expected.error.empty() ? refused : found.baseline ? taken : left) += 1;

      // Of a part of it, the pixels of that part.
      if (!expected.error.empty()) continue;
      image::Region region;
      region.left = static_cast<int>(random(static_cast<std::size_t>(expected.width)));
      region.top = static_cast<int>(random(static_cast<std::size_t>(expected.height)));
      region.width = 1 + static_cast<int>(random(static_cast<std::size_t>(expected.width - region.left)));
      region.height = 1 + static_cast<int>(random(static_cast<std::size_t>(expected.height - region.top)));
      options.region = [&](int, int) { return region; };
      const Decoded part = test::decode_by(kernel, bytes, ours, options);
      ASSERT_EQ(part.error, "");
      ASSERT_EQ(test::part_of(part.data, part.width, region), test::part_of(expected.data, expected.width, region))
          << "mutant " << i << " by " << kernel->name;
    }
  }
  EXPECT_GT(refused, 1000);
  EXPECT_GT(taken, 1000);
  EXPECT_GT(left, 1000);
}

}  // namespace
}  // namespace ptrun
