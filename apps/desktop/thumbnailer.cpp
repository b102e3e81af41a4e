#include "thumbnailer.h"

#include <fcntl.h>
#include <sys/resource.h>

#include <QFile>
#include <QImageReader>
#include <utility>

namespace desktop {
namespace {

constexpr std::size_t kMostWishes = 300;  // more than a large screen shows
constexpr int kNice = 3;                  // behind the window, before the predictor
constexpr int kMegabytesPerImage = 512;   // of a decoded original; larger ones have no picture

}  // namespace

Thumbnailer::Thumbnailer(qsizetype cache_bytes, int threads, QObject* parent) : QObject(parent), cache_(cache_bytes) {
  for (int i = 0; i < threads; ++i) threads_.emplace_back([this] { loop(); });
}

Thumbnailer::~Thumbnailer() {
  {
    const std::lock_guard lock(mutex_);
    quit_ = true;
  }
  changed_.notify_all();
  for (std::thread& thread : threads_) thread.join();
}

void Thumbnailer::set_size(const QSize& pixels) {
  if (pixels == size_) return;
  size_ = pixels;
  clear();
}

void Thumbnailer::clear() {
  ++generation_;
  cache_.clear();
  wished_.clear();
  missing_.clear();
  const std::lock_guard lock(mutex_);
  wishes_.clear();
}

QImage Thumbnailer::picture(int photo, const std::string& path) {
  if (const QImage* found = cache_.object(photo)) return *found;
  if (missing_.contains(photo) || wished_.contains(photo)) return {};
  wished_.insert(photo);
  {
    const std::lock_guard lock(mutex_);
    wishes_.push_back({generation_, photo, path, size_});
    if (wishes_.size() > kMostWishes) {
      wished_.remove(wishes_.front().photo);
      wishes_.pop_front();
    }
  }
  changed_.notify_one();
  return {};
}

void Thumbnailer::loop() {
  ::setpriority(PRIO_PROCESS, 0, kNice);
  std::unique_lock lock(mutex_);
  while (true) {
    changed_.wait(lock, [this] { return quit_ || !wishes_.empty(); });
    if (quit_) return;
    const Wish wish = std::move(wishes_.back());
    wishes_.pop_back();
    lock.unlock();
    QImage image = decode(wish);
    QMetaObject::invokeMethod(
        this, [this, wish, image = std::move(image)] { take(wish, image); }, Qt::QueuedConnection);
    lock.lock();
  }
}

// By descriptor: a name need not be UTF-8.
QImage Thumbnailer::decode(const Wish& wish) {
  const int descriptor = ::open(wish.path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (descriptor < 0) return {};
  QFile file;
  if (!file.open(descriptor, QIODevice::ReadOnly, QFileDevice::AutoCloseHandle)) return {};
  QImageReader reader(&file);
  QImageReader::setAllocationLimit(kMegabytesPerImage);
  reader.setDecideFormatFromContent(true);
  reader.setAutoTransform(true);
  const QSize original = reader.size();
  if (original.isValid()) {
    const bool turned = (reader.transformation() & QImageIOHandler::TransformationRotate90) != 0;
    const QSize bounds = turned ? wish.size.transposed() : wish.size;
    if (original.width() > bounds.width() || original.height() > bounds.height()) {
      reader.setScaledSize(original.scaled(bounds, Qt::KeepAspectRatio).expandedTo(QSize(1, 1)));
    }
  }
  QImage image = reader.read();
  if (image.isNull()) return {};
  // A format that does not tell its size before.
  if (image.width() > wish.size.width() || image.height() > wish.size.height()) {
    image = image.scaled(wish.size, Qt::KeepAspectRatio, Qt::SmoothTransformation);
  }
  return image.convertToFormat(image.hasAlphaChannel() ? QImage::Format_ARGB32_Premultiplied : QImage::Format_RGB32);
}

void Thumbnailer::take(const Wish& wish, const QImage& image) {
  if (wish.generation != generation_) return;
  wished_.remove(wish.photo);
  if (image.isNull()) {
    missing_.insert(wish.photo);
  } else {
    cache_.insert(wish.photo, new QImage(image), image.sizeInBytes());
  }
  Q_EMIT ready(wish.photo);
}

}  // namespace desktop
