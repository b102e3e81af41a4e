// How long the window's thread keeps a user waiting.
#pragma once

#include <QApplication>
#include <QElapsedTimer>
#include <QTimer>
#include <functional>
#include <vector>

namespace desktop::test {

// The application itself, because every event passes through it. Three measures, in milliseconds:
//   gaps   the time between two ticks of a timer beyond its interval: what a user waits, other programs that hold the
//          processors included
//   frames the time from the start of an event's handling to its end
//   work   the processor time of the same: what the program itself takes, whatever else runs
class MeteredApplication : public QApplication {
 public:
  MeteredApplication(int& argc, char** argv);

  bool notify(QObject* receiver, QEvent* event) override;
  void restart();
  // Runs the event loop until `condition` is true, looking 100 times a second.
  void run_until(const std::function<bool()>& condition);
  void run_for(int milliseconds);

  const std::vector<double>& gaps() const { return gaps_; }
  const std::vector<double>& frames() const { return frames_; }
  const std::vector<double>& work() const { return work_; }
  // The event with the longest frame: receiver's class and the event's type.
  const QString& longest() const { return longest_; }

 private:
  QElapsedTimer clock_;
  QTimer tick_;
  int depth_ = 0;
  double ticked_ = -1;
  double longest_frame_ = 0;
  QString longest_;
  std::vector<double> gaps_;
  std::vector<double> frames_;
  std::vector<double> work_;
};

struct Spread {
  std::size_t count = 0;
  double median = 0;
  double percentile_99 = 0;
  double largest = 0;
  std::size_t over_100_ms = 0;
};
Spread spread_of(std::vector<double> values);

}  // namespace desktop::test
