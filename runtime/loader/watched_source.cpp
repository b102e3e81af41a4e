#include "loader/watched_source.h"

#include <algorithm>
#include <utility>

#include "ptrun/error.h"

namespace ptrun {
namespace {

constexpr std::uint64_t kSteps = 200;  // calls of the callback for one file
// Cancelling is looked at between pieces of this size: some milliseconds of reading.
constexpr std::size_t kPiece = 4U << 20U;

}  // namespace

WatchedSource::WatchedSource(std::shared_ptr<const archive::ByteSource> file, const LoadOptions& options)
    : file_(std::move(file)), cancellation_(options.cancellation), progress_(options.progress) {}

void WatchedSource::read(std::uint64_t offset, void* to, std::size_t count) const {
  if (!watching_.load(std::memory_order_acquire)) return file_->read(offset, to, count);
  std::size_t done = 0;
  do {
    check();
    const std::size_t piece = std::min(count - done, kPiece);
    file_->read(offset + done, static_cast<char*>(to) + done, piece);
    done += piece;
    const std::lock_guard lock(mutex_);
    // Headers are read several times; the end is told by finish().
    read_ = std::min(read_ + piece, size());
    if (progress_ && read_ - told_ > size() / kSteps) {
      told_ = read_;
      progress_({read_, size()});
    }
  } while (done < count);
}

void WatchedSource::check() const {
  if (cancellation_ && cancellation_->cancelled())
    throw Error(ErrorCode::cancelled, name(), "loading was cancelled by the caller");
}

void WatchedSource::finish() {
  const std::lock_guard lock(mutex_);
  if (progress_) progress_({size(), size()});
}

void WatchedSource::release() {
  watching_.store(false, std::memory_order_release);
  const std::lock_guard lock(mutex_);
  progress_ = nullptr;
}

}  // namespace ptrun
