#include "frame_meter.h"

#include <QEventLoop>
#include <algorithm>
#include <ctime>

namespace desktop::test {
namespace {

constexpr int kTick = 10;  // milliseconds

double thread_time() {
  timespec time{};
  ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) * 1e3 + static_cast<double>(time.tv_nsec) / 1e6;
}

}  // namespace

MeteredApplication::MeteredApplication(int& argc, char** argv) : QApplication(argc, argv) {
  clock_.start();
  tick_.setTimerType(Qt::PreciseTimer);
  tick_.setInterval(kTick);
  connect(&tick_, &QTimer::timeout, this, [this] {
    const double time = static_cast<double>(clock_.nsecsElapsed()) / 1e6;
    if (ticked_ >= 0) gaps_.push_back(std::max(0.0, time - ticked_ - kTick));
    ticked_ = time;
  });
  tick_.start();
}

bool MeteredApplication::notify(QObject* receiver, QEvent* event) {
  // Events that others send while they are handled are part of them.
  if (depth_ > 0 || receiver == &tick_) return QApplication::notify(receiver, event);
  const QString name = QStringLiteral("%1, event %2")
                           .arg(QString::fromLatin1(receiver->metaObject()->className()))
                           .arg(static_cast<int>(event->type()));
  const double wall = static_cast<double>(clock_.nsecsElapsed()) / 1e6;
  const double cpu = thread_time();
  ++depth_;
  const bool handled = QApplication::notify(receiver, event);
  --depth_;
  work_.push_back(thread_time() - cpu);
  frames_.push_back(static_cast<double>(clock_.nsecsElapsed()) / 1e6 - wall);
  if (frames_.back() > longest_frame_) {
    longest_frame_ = frames_.back();
    longest_ = name;
  }
  return handled;
}

void MeteredApplication::restart() {
  for (std::vector<double>* values : {&gaps_, &frames_, &work_}) values->clear();
  ticked_ = -1;
  longest_frame_ = 0;
  longest_.clear();
}

void MeteredApplication::run_until(const std::function<bool()>& condition) {
  QEventLoop loop;
  QTimer check;
  connect(&check, &QTimer::timeout, &loop, [&] {
    if (condition()) loop.quit();
  });
  check.start(kTick);
  loop.exec();
}

void MeteredApplication::run_for(int milliseconds) {
  QEventLoop loop;
  QTimer::singleShot(milliseconds, &loop, &QEventLoop::quit);
  loop.exec();
}

Spread spread_of(std::vector<double> values) {
  Spread spread;
  spread.count = values.size();
  if (values.empty()) return spread;
  std::sort(values.begin(), values.end());
  spread.median = values[values.size() / 2];
  spread.percentile_99 = values[values.size() * 99 / 100];
  spread.largest = values.back();
  const auto is_long = [](double value) { return value > 100; };
  spread.over_100_ms = static_cast<std::size_t>(std::count_if(values.begin(), values.end(), is_long));
  return spread;
}

}  // namespace desktop::test
