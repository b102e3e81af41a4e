// The photos and what is known of each, in the order and selection that the grid shows.
#pragma once

#include <QAbstractListModel>
#include <QMap>
#include <QTimer>
#include <memory>
#include <string>
#include <vector>

#include "job_runner.h"
#include "summary.h"

namespace desktop {

struct Photo {
  std::string path;                               // absolute, the file system's bytes
  QString name;                                   // the last part, for display
  std::shared_ptr<const ptrun::Outcome> outcome;  // none: waiting
  Summary summary;

  bool waiting() const { return outcome == nullptr; }
  bool failed() const { return outcome != nullptr && !outcome->ok(); }
};

enum class Show { all, labelled, failed, waiting };
enum class Order { added, score_down, score_up, label, name };

struct Filter {
  Show show = Show::all;
  QString label;  // empty: any; else one of the photo's labels
  QString text;   // part of a label or of the name, in any case
};

// Photos are known by their number in the order in which they were added, rows are places in the grid. The window's
// thread only. Sorting and filtering are done here: a proxy reports each gap of a filtered list as its own signal,
// which takes long with thousands of photos.
class PhotoModel : public QAbstractListModel {
  Q_OBJECT

 public:
  explicit PhotoModel(QObject* parent = nullptr);

  int rowCount(const QModelIndex& parent = {}) const override;
  QVariant data(const QModelIndex& index, int role) const override;

  // Returns the number of the first photo added.
  int add(const std::vector<std::string>& paths);
  void clear();
  void set_answers(const std::vector<Answer>& answers);
  void forget_answers();

  int size() const { return static_cast<int>(photos_.size()); }
  // Photos without an answer.
  int waiting() const { return waiting_; }
  const Photo& photo(int number) const { return photos_[static_cast<std::size_t>(number)]; }
  // -1 for an invalid index, -1 for a photo that is not shown.
  int photo_at(const QModelIndex& index) const;
  int row_of(int photo) const { return rows_[static_cast<std::size_t>(photo)]; }
  // Photos in the order of the rows.
  const std::vector<int>& shown() const { return shown_; }

  void set_filter(const Filter& filter);
  void set_order(Order order);
  const Filter& filter() const { return filter_; }
  Order order() const { return order_; }
  // Photos for each label.
  const QMap<QString, int>& label_counts() const { return label_counts_; }

 Q_SIGNALS:
  void labels_changed();
  // Rows came, went or moved.
  void rearranged();

 private:
  bool passes(const Photo& item) const;
  bool before(int a, int b) const;
  bool depends_on_answers() const;
  void rearrange();
  void number_rows();

  std::vector<Photo> photos_;
  std::vector<int> shown_;  // photo of each row
  std::vector<int> rows_;   // row of each photo, -1: not shown
  int waiting_ = 0;
  QMap<QString, int> label_counts_;
  Filter filter_;
  Order order_ = Order::added;
  QTimer rearrange_timer_;  // answers stream in; the order follows a few times a second
};

}  // namespace desktop
