// Small pictures of photos, decoded on threads of their own, the newest wish first.
//
// Qt's reader is used and not ptrun's: the library gives no pixels out, and Qt decodes a JPEG straight to a small size
// (an eighth of the work) where the library decodes what a model needs. A format that Qt lacks has no picture here but
// its label all the same.
#pragma once

#include <QCache>
#include <QImage>
#include <QObject>
#include <QSet>
#include <QSize>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace desktop {

// The window's thread only.
class Thumbnailer : public QObject {
  Q_OBJECT

 public:
  // `cache_bytes`: pictures kept; `threads`: that decode.
  Thumbnailer(qsizetype cache_bytes, int threads, QObject* parent = nullptr);
  ~Thumbnailer() override;

  // The largest picture in pixels of the screen; another size forgets all pictures.
  void set_size(const QSize& pixels);
  void clear();

  // The picture of `photo`, upright, within the size; null while it is decoded (ready() follows) and where there is
  // none. Wishes that wait long while newer ones come are dropped: ask again when it is shown again.
  QImage picture(int photo, const std::string& path);
  // False while the picture of `photo` may still come.
  bool is_missing(int photo) const { return missing_.contains(photo); }

 Q_SIGNALS:
  void ready(int photo);

 private:
  struct Wish {
    int generation = 0;
    int photo = 0;
    std::string path;
    QSize size;
  };

  void loop();
  void take(const Wish& wish, const QImage& image);
  static QImage decode(const Wish& wish);

  QSize size_ = {160, 120};
  int generation_ = 0;
  QCache<int, QImage> cache_;
  QSet<int> wished_;
  QSet<int> missing_;

  std::mutex mutex_;
  std::condition_variable changed_;
  bool quit_ = false;
  std::deque<Wish> wishes_;  // the newest at the back

  std::vector<std::thread> threads_;
};

}  // namespace desktop
