// A model file that tells how much of it was read, and stops the load when it is called off.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>

#include "archive/byte_source.h"
#include "ptrun/model.h"

namespace ptrun {

// Any thread may read. A model may keep the source for longer than the load: release() lets the callback go.
class WatchedSource final : public archive::ByteSource {
 public:
  WatchedSource(std::shared_ptr<const archive::ByteSource> file, const LoadOptions& options);

  const std::string& name() const noexcept override { return file_->name(); }
  std::uint64_t size() const noexcept override { return file_->size(); }
  void read(std::uint64_t offset, void* to, std::size_t count) const override;

  // Throws Error(cancelled) when the load was called off.
  void check() const;
  // Tells the end, and nothing any more.
  void finish();
  void release();

 private:
  const std::shared_ptr<const archive::ByteSource> file_;
  const std::optional<Cancellation> cancellation_;
  std::atomic<bool> watching_ = true;
  mutable std::mutex mutex_;  // one call of the callback at a time
  std::function<void(const LoadProgress&)> progress_;
  mutable std::uint64_t read_ = 0;
  mutable std::uint64_t told_ = 0;
};

// Releases the source when the load ends, however it ends.
class WatchEnd {
 public:
  explicit WatchEnd(WatchedSource& source) : source_(source) {}
  ~WatchEnd() { source_.release(); }
  WatchEnd(const WatchEnd&) = delete;
  WatchEnd& operator=(const WatchEnd&) = delete;

 private:
  WatchedSource& source_;
};

}  // namespace ptrun
