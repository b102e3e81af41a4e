#include "photo_model.h"

#include <QFile>
#include <algorithm>
#include <numeric>

namespace desktop {
namespace {

constexpr int kRearrangeAfter = 250;  // milliseconds

QString display_name(const std::string& path) {
  const std::size_t slash = path.rfind('/');
  return shown(slash == std::string::npos ? path : path.substr(slash + 1));
}

}  // namespace

PhotoModel::PhotoModel(QObject* parent) : QAbstractListModel(parent) {
  rearrange_timer_.setSingleShot(true);
  rearrange_timer_.setInterval(kRearrangeAfter);
  connect(&rearrange_timer_, &QTimer::timeout, this, &PhotoModel::rearrange);
}

int PhotoModel::rowCount(const QModelIndex& parent) const {
  return parent.isValid() ? 0 : static_cast<int>(shown_.size());
}

int PhotoModel::photo_at(const QModelIndex& index) const {
  if (!index.isValid() || index.row() >= rowCount()) return -1;
  return shown_[static_cast<std::size_t>(index.row())];
}

QVariant PhotoModel::data(const QModelIndex& index, int role) const {
  const int number = photo_at(index);
  if (number < 0) return {};
  const Photo& item = photo(number);
  switch (role) {
    case Qt::DisplayRole: return item.name;
    case Qt::ToolTipRole:
      // Rich text, so that long paths wrap; escaped, because a name may look like HTML.
      return QStringLiteral("<qt>%1</qt>")
          .arg((item.failed() ? item.summary.reason : desktop::shown(item.path)).toHtmlEscaped());
    case Qt::AccessibleTextRole:
      if (item.waiting()) return QStringLiteral("%1, waiting").arg(item.name);
      if (item.failed()) return QStringLiteral("%1, failed: %2").arg(item.name, item.summary.reason);
      if (!item.summary.has_score) return QStringLiteral("%1, %2").arg(item.name, item.summary.headline);
      return QStringLiteral("%1, %2, %3")
          .arg(item.name, item.summary.headline, score_text(item.summary.score, item.summary.logit));
    default: return {};
  }
}

int PhotoModel::add(const std::vector<std::string>& paths) {
  const int first = size();
  photos_.reserve(photos_.size() + paths.size());
  for (const std::string& path : paths) photos_.push_back({path, display_name(path), nullptr, {}});
  rows_.resize(photos_.size(), -1);
  waiting_ += static_cast<int>(paths.size());
  if (order_ == Order::added && filter_.show == Show::all && filter_.label.isEmpty() && filter_.text.isEmpty()) {
    if (first == size()) return first;
    const int row = rowCount();
    beginInsertRows({}, row, row + static_cast<int>(paths.size()) - 1);
    shown_.resize(photos_.size());
    std::iota(shown_.begin(), shown_.end(), 0);
    number_rows();
    endInsertRows();
    Q_EMIT rearranged();
  } else {
    rearrange();
  }
  return first;
}

void PhotoModel::clear() {
  beginResetModel();
  photos_.clear();
  shown_.clear();
  rows_.clear();
  waiting_ = 0;
  label_counts_.clear();
  endResetModel();
  Q_EMIT labels_changed();
  Q_EMIT rearranged();
}

void PhotoModel::set_answers(const std::vector<Answer>& answers) {
  bool new_label = false;
  for (const Answer& answer : answers) {
    Photo& item = photos_[static_cast<std::size_t>(answer.photo)];
    if (item.waiting()) --waiting_;
    item.outcome = answer.outcome;
    item.summary = summarise(*answer.outcome, item.path);
    for (const QString& label : item.summary.labels) {
      ++label_counts_[label];
      new_label = true;
    }
    const int row = row_of(answer.photo);
    if (row >= 0) Q_EMIT dataChanged(index(row), index(row));
  }
  if (new_label) Q_EMIT labels_changed();
  if (depends_on_answers() && !rearrange_timer_.isActive()) rearrange_timer_.start();
}

void PhotoModel::forget_answers() {
  for (Photo& item : photos_) {
    item.outcome.reset();
    item.summary = {};
  }
  waiting_ = size();
  label_counts_.clear();
  Q_EMIT labels_changed();
  if (depends_on_answers()) rearrange();
  if (rowCount() > 0) Q_EMIT dataChanged(index(0), index(rowCount() - 1));
}

void PhotoModel::set_filter(const Filter& filter) {
  filter_ = filter;
  rearrange();
}

void PhotoModel::set_order(Order order) {
  order_ = order;
  rearrange();
}

bool PhotoModel::depends_on_answers() const {
  const bool order = order_ == Order::score_down || order_ == Order::score_up || order_ == Order::label;
  return order || filter_.show != Show::all || !filter_.label.isEmpty() || !filter_.text.isEmpty();
}

bool PhotoModel::passes(const Photo& item) const {
  switch (filter_.show) {
    case Show::all: break;
    case Show::labelled:
      if (item.waiting() || item.failed()) return false;
      break;
    case Show::failed:
      if (!item.failed()) return false;
      break;
    case Show::waiting:
      if (!item.waiting()) return false;
      break;
  }
  if (!filter_.label.isEmpty() && !item.summary.labels.contains(filter_.label)) return false;
  if (filter_.text.isEmpty() || item.name.contains(filter_.text, Qt::CaseInsensitive)) return true;
  return std::any_of(item.summary.labels.begin(), item.summary.labels.end(),
                     [this](const QString& label) { return label.contains(filter_.text, Qt::CaseInsensitive); });
}

// Photos without what is sorted by come last; equals stay as they were added.
bool PhotoModel::before(int a, int b) const {
  const Photo& left = photo(a);
  const Photo& right = photo(b);
  switch (order_) {
    case Order::added: return false;
    case Order::name: return QString::compare(left.name, right.name, Qt::CaseInsensitive) < 0;
    case Order::label:
      if (left.summary.labels.isEmpty() || right.summary.labels.isEmpty()) {
        return !left.summary.labels.isEmpty() && right.summary.labels.isEmpty();
      }
      return QString::compare(left.summary.labels.front(), right.summary.labels.front(), Qt::CaseInsensitive) < 0;
    case Order::score_down:
    case Order::score_up:
      if (left.summary.has_score != right.summary.has_score) return left.summary.has_score;
      return order_ == Order::score_down ? left.summary.score > right.summary.score
                                         : left.summary.score < right.summary.score;
  }
  return false;
}

void PhotoModel::number_rows() {
  std::fill(rows_.begin(), rows_.end(), -1);
  for (std::size_t row = 0; row < shown_.size(); ++row) {
    rows_[static_cast<std::size_t>(shown_[row])] = static_cast<int>(row);
  }
}

void PhotoModel::rearrange() {
  rearrange_timer_.stop();
  std::vector<int> wanted;
  for (int number = 0; number < size(); ++number) {
    if (passes(photo(number))) wanted.push_back(number);
  }
  if (order_ != Order::added) {
    std::stable_sort(wanted.begin(), wanted.end(), [this](int a, int b) { return before(a, b); });
  }
  if (wanted == shown_) return;

  Q_EMIT layoutAboutToBeChanged();
  const std::vector<int> old = std::move(shown_);
  shown_ = std::move(wanted);
  number_rows();
  QModelIndexList to;
  const QModelIndexList from = persistentIndexList();
  for (const QModelIndex& index : from) {
    const int row = row_of(old[static_cast<std::size_t>(index.row())]);
    to.append(row < 0 ? QModelIndex() : createIndex(row, 0));
  }
  changePersistentIndexList(from, to);
  Q_EMIT layoutChanged();
  Q_EMIT rearranged();
}

}  // namespace desktop
