// ptrun benchmark: what it counts and says; how fast anything is, no test asks.
#include "cli/cli_test.h"

namespace ptrun::test {
namespace {

using nlohmann::json;
using testing::HasSubstr;

class BenchmarkTest : public CliTest {
 protected:
  static Finished benchmark(std::vector<std::string> words) {
    words.insert(words.begin(), {"benchmark", kWeights});
    return run(std::move(words));
  }
};

// Percentiles in order, none of them nothing.
void expect_latencies(const json& latency) {
  EXPECT_GT(latency["p50"], 0.0);
  EXPECT_LE(latency["p50"], latency["p90"]);
  EXPECT_LE(latency["p90"], latency["p95"]);
  EXPECT_LE(latency["p95"], latency["p99"]);
  EXPECT_LE(latency["p99"], latency["max"]);
}

TEST_F(BenchmarkTest, TheModelAloneNeedsNoImages) {
  const Finished finished =
      benchmark({"--json", "-b", "1", "-j", "2", "--num-warm-iter", "1", "--num-bench-iter", "3", "-q"});
  ASSERT_EQ(finished.code, 0) << finished.err;
  const json result = json::parse(finished.out);
  EXPECT_EQ(result["v"], 1);
  EXPECT_EQ(result["architecture"], "mobilenet_v2");
  EXPECT_EQ(result["precision"], "fp32");
  EXPECT_EQ(result["input_size"], json({3, 224, 224}));
  EXPECT_EQ(result["batch_size"], 1);
  EXPECT_EQ(result["workers"], 2);
  EXPECT_EQ(result["model_alone"]["images"], 6);
  EXPECT_GT(result["model_alone"]["images_per_second"], 0.0);
  EXPECT_GT(result["peak_memory_bytes"], 20'000'000);
  expect_latencies(result["model_alone"]["latency_ms"]);
  EXPECT_FALSE(result.contains("end_to_end"));
}

TEST_F(BenchmarkTest, ImagesAreTakenInWholePassesAndFailuresAreCounted) {
  copy_photo("cat.jpg", "in/cat.jpg");
  copy_photo("shuttle.jpg", "in/shuttle.jpg");
  write("in/broken.jpg", "no picture");
  const Finished finished = benchmark({path("in"), "--json", "-b", "2", "-j", "1", "--num-warm-iter", "1",
                                       "--num-bench-iter", "2", "--results-file", path("result.json"), "-q"});
  ASSERT_EQ(finished.code, 1) << finished.err;
  EXPECT_EQ(text_of(path("result.json")), finished.out);
  const json run = json::parse(finished.out)["end_to_end"];
  EXPECT_EQ(run["files"], 3);
  EXPECT_EQ(run["images"], 6);
  EXPECT_EQ(run["failed"], 2);
  expect_latencies(run["latency_ms"]);
  double sum = 0;
  for (const char* stage : {"read", "decode", "preprocess", "model", "task"}) sum += run["stages"][stage].get<double>();
  EXPECT_NEAR(sum, 1, 1e-3);
  EXPECT_EQ(run["limit"], "model");
  EXPECT_GT(run["share_of_model_alone"], 0.0);
}

TEST_F(BenchmarkTest, TextSaysTheSame) {
  const Finished finished = benchmark({kPhotos + "/cat.jpg", "--num-warm-iter", "0", "--num-bench-iter", "1"});
  ASSERT_EQ(finished.code, 0) << finished.err;
  for (const char* word : {"model alone", "from files", "stages", "limit: ", "of the bound", "memory", "p99"}) {
    EXPECT_THAT(finished.out, HasSubstr(word));
  }
}

TEST_F(BenchmarkTest, WrongUsageIsCodeTwo) {
  EXPECT_EQ(benchmark({"--num-bench-iter", "0"}).code, 2);
  EXPECT_EQ(benchmark({"--topk", "3"}).code, 2);
  EXPECT_EQ(benchmark({path("nothing.jpg")}).code, 2);
  EXPECT_EQ(run({"benchmark"}).code, 2);
}

}  // namespace
}  // namespace ptrun::test
