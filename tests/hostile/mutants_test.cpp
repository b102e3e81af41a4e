// Seeded random damage to sound files: a result or a named error, nothing else.
#include <array>
#include <filesystem>
#include <fstream>
#include <random>

#include "hostile/refuse.h"
#include "support/pt_bytes.h"

namespace ptrun::test {
namespace {

std::string file_bytes(const std::string& name) {
  std::ifstream file(std::filesystem::path(PTRUN_TEST_DATA) / "archives" / name, std::ios::binary);
  std::string bytes{std::istreambuf_iterator<char>(file), {}};
  EXPECT_FALSE(bytes.empty()) << name;
  return bytes;
}

struct Outcome {
  int loaded = 0;
  int refused = 0;
};

void try_load(const std::string& bytes, Outcome& outcome) {
  try {
    load(bytes);
    ++outcome.loaded;
  } catch (const Error& error) {
    ++outcome.refused;
    ASSERT_EQ(std::string(error.what()).find("\x1B"), std::string::npos);
  } catch (const std::exception& error) {
    FAIL() << "another exception: " << error.what();
  }
}

constexpr std::array<unsigned char, 10> kInteresting = {0x00, 0x01, 0x7F, 0x80, 0xFF, '(', ']', 'R', 'h', 0x85};

void mutate(std::string& bytes, std::mt19937& random) {
  const auto below = [&](std::size_t limit) {
    return std::uniform_int_distribution<std::size_t>(0, limit - 1)(random);
  };
  const std::size_t changes = 1 + below(4);
  for (std::size_t i = 0; i < changes; ++i) {
    const std::size_t at = below(bytes.size());
    switch (below(6)) {
      case 0: bytes[at] = static_cast<char>(below(256)); break;
      case 1: bytes[at] = static_cast<char>(bytes[at] ^ (1 << below(8))); break;
      case 2: bytes[at] = static_cast<char>(kInteresting[below(kInteresting.size())]); break;
      case 3: bytes.erase(at, 1 + below(std::min<std::size_t>(16, bytes.size() - at))); break;
      case 4: bytes.insert(at, bytes.substr(below(bytes.size()), 1 + below(16))); break;
      default: {
        const std::size_t count = std::min<std::size_t>(4, bytes.size() - at);
        bytes.replace(at, count, std::string(count, static_cast<char>(below(2) == 0 ? 0xFF : 0x00)));
      }
    }
    if (bytes.empty()) bytes = "x";
  }
}

// 20,000 mutants over 16 seed kinds. Those without CRC reach the readers behind it.
TEST(Mutants, NeverCrash) {
  const std::vector<std::string> seeds = {
      good_zip(),
      good_legacy(),
      good_safetensors(),
      file_bytes("2.15.0/no_crc.pt"),
      file_bytes("2.15.0/ordered.pt"),
      file_bytes("2.15.0/views.pt"),
      file_bytes("2.15.0/module.pt"),
      file_bytes("2.15.0/beside.pt"),
      file_bytes("2.15.0/quantized.pt"),
      file_bytes("2.15.0/layouts.pt"),
      file_bytes("2.15.0/dtypes_untyped.pt"),
      file_bytes("2.15.0/protocol5.pt"),
      file_bytes("2.15.0/deflated.pt"),
      file_bytes("2.15.0/dtypes.safetensors"),
      file_bytes("1.4.0/checkpoint.pt"),
      file_bytes("1.4.0-python2/checkpoint.pt"),
  };
  constexpr int kRounds = 1250;
  std::mt19937 random(20240601);
  Outcome outcome;
  const Cost cost = measure([&] {
    for (const std::string& seed : seeds) {
      for (int round = 0; round < kRounds; ++round) {
        std::string mutant = seed;
        mutate(mutant, random);
        try_load(mutant, outcome);
      }
    }
  });
  EXPECT_EQ(outcome.loaded + outcome.refused, 20'000);
  EXPECT_GT(outcome.refused, 10'000);
  EXPECT_LT(cost.heap_bytes, 256U << 20U);
  EXPECT_LT(cost.seconds, 60.0);
  RecordProperty("loaded", outcome.loaded);
  RecordProperty("refused", outcome.refused);
}

// The pickle alone, so that no CRC and no zip stands before it.
TEST(Mutants, OfPicklesNeverCrash) {
  const auto source = archive::from_memory("model.pt", file_bytes("2.15.0/module.pt"));
  const auto zip = archive::ZipArchive::open(source);
  const std::string pickle = zip->read(zip->require("data.pkl"), 1U << 20U);
  std::vector<std::pair<std::string, std::string>> storages;
  for (const archive::ZipEntry& entry : zip->entries()) {
    const std::string name(zip->short_name(entry));
    if (name.rfind("data/", 0) == 0) storages.emplace_back(name.substr(5), zip->read(entry, 1U << 20U));
  }
  std::mt19937 random(7);
  Outcome outcome;
  for (int round = 0; round < 5000; ++round) {
    std::string mutant = pickle;
    mutate(mutant, random);
    try_load(torch_zip(mutant, storages), outcome);
  }
  EXPECT_EQ(outcome.loaded + outcome.refused, 5000);
}

// One flipped bit in a weight loads silently in LibTorch and Python; here the CRC is compared.
TEST(BitFlips, InWeightsAreAllDetected) {
  const std::string bytes = file_bytes("2.15.0/ordered.pt");
  const auto source = archive::from_memory("model.pt", bytes);
  const auto zip = archive::ZipArchive::open(source);
  int positions = 0;
  for (const archive::ZipEntry& entry : zip->entries()) {
    if (zip->short_name(entry).rfind("data/", 0) != 0) continue;
    for (std::uint64_t byte = 0; byte < entry.size; ++byte) {
      for (int bit = 0; bit < 8; bit += 3) {
        std::string flipped = bytes;
        const std::size_t at = entry.data_offset + byte;
        flipped[at] = static_cast<char>(flipped[at] ^ (1 << bit));
        try {
          load(flipped);
          FAIL() << "bit " << bit << " of byte " << at << " went unseen";
        } catch (const Error& error) {
          ASSERT_NE(std::string(error.what()).find("has CRC-32"), std::string::npos) << error.what();
        }
        ++positions;
      }
    }
  }
  EXPECT_GE(positions, 1000);
}

}  // namespace
}  // namespace ptrun::test
