#include "ptrun/results.h"

#include <string_view>

#include "core/output_file.h"
#include "output/output.h"
#include "ptrun/job.h"

namespace ptrun {
namespace {

// `path`, refused where a job would refuse it.
const std::string& checked(const std::string& path, const ResultFileOptions& options) {
  JobOptions job;
  job.outputs = {path};
  job.force = options.replace;
  check_outputs(job, options.task);
  return path;
}

OutputContext context_of(const ResultFileOptions& options) {
  OutputContext context;
  context.task = options.task;
  context.topk = options.topk;
  context.logits = options.logits;
  return context;
}

}  // namespace

struct ResultFile::Impl {
  Impl(const std::string& path, const ResultFileOptions& options)
      : file(checked(path, options), true, options.replace),
        writer(
            output_format_for(path).make([this](std::string_view bytes) { file.write(bytes); }, context_of(options))) {}

  OutputFile file;
  std::unique_ptr<RowWriter> writer;
};

ResultFile::ResultFile(const std::string& path, const ResultFileOptions& options)
    : impl_(std::make_unique<Impl>(path, options)) {}
ResultFile::~ResultFile() = default;

void ResultFile::write(const std::string& image, const Outcome& outcome) { impl_->writer->write({image, outcome, {}}); }

void ResultFile::finish() {
  impl_->writer->finish();
  impl_->file.commit();
}

}  // namespace ptrun
