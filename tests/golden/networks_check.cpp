// Prints how every network in FOLDER is recognised and how far its logits are from Python's: networks_check FOLDER
// [TOLERANCE]. The folder is made by make_golden_networks.py --all; scripts/check_networks.sh does both. Exit code 1
// when one network is taken for another, by none or by two families, or differs.
#include <ATen/ATen.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <filesystem>
#include <map>

#include "golden/networks_golden.h"

namespace {

namespace fs = std::filesystem;
using namespace ptrun::testing;

struct Tally {
  int networks = 0;
  double worst = 0.0;
};

bool check(const fs::path& path, double tolerance, std::map<std::string, Tally>& families) {
  const auto network = read_network(path);
  const ptrun::WeightTable table = table_of(network);
  const auto found = recognise_all(table, network.at("architecture"));
  std::string names;
  for (const auto& [architecture, match] : found) names += (names.empty() ? "" : ", ") + match.name;
  if (found.size() != 1 || found[0].second.name != network.at("architecture")) {
    std::printf("%-24s WRONG: recognised as [%s]\n", path.stem().c_str(), names.c_str());
    return false;
  }
  const BuiltNetwork built = build_network(*found[0].first, table, by_name(network));
  if (!built.differences.empty()) {
    std::printf("%-24s WRONG: %zu missing, %zu left over, %zu of another shape\n", path.stem().c_str(),
                built.differences.missing.size(), built.differences.left_over.size(),
                built.differences.mismatched.size());
    return false;
  }
  const double largest = difference(network, run_network(network, built.module));
  const bool ok = largest <= tolerance;
  std::printf("%-24s recognised, largest difference %.2g of the largest logit%s\n", names.c_str(), largest,
              ok ? "" : "  WRONG");
  std::fflush(stdout);
  Tally& tally = families[std::string(found[0].first->family)];
  ++tally.networks;
  tally.worst = std::max(tally.worst, largest);
  return ok;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2) {
    std::fprintf(stderr, "usage: networks_check FOLDER [TOLERANCE]\n");
    return 2;
  }
  const double tolerance = argc > 2 ? std::strtod(argv[2], nullptr) : 1e-4;
  bool ok = true;
  try {
    std::vector<fs::path> files;
    for (const auto& entry : fs::directory_iterator(argv[1])) {
      if (entry.path().extension() == ".json") files.push_back(entry.path());
    }
    std::sort(files.begin(), files.end());
    std::map<std::string, Tally> families;
    for (const fs::path& file : files) ok = check(file, tolerance, families) && ok;
    for (const auto& [family, tally] : families) {
      std::printf("family %-16s %3d networks, largest difference %.2g\n", family.c_str(), tally.networks, tally.worst);
    }
  } catch (const std::exception& error) {
    std::fprintf(stderr, "networks_check: %s\n", error.what());
    return 2;
  }
  return ok ? 0 : 1;
}
