#include "archive/weight_table.h"

#include <algorithm>

#include "archive/fail.h"
#include "ptrun/graph.h"

namespace ptrun {
namespace {

bool is_number(std::string_view text) {
  return !text.empty() && text.size() < 10 &&
         std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

std::string joined(std::string_view prefix, std::string_view name) {
  if (prefix.empty()) return std::string(name);
  if (name.empty()) return std::string(prefix);
  return archive::text_of(prefix, '.', name);
}

}  // namespace

void WeightTable::add(Entry entry) {
  const auto [known, fresh] = index_.emplace(entry.name, entries_.size());
  if (!fresh) {
    archive::fail_bad("tensor " + archive::in_quotes(entry.name), "is named twice, expected once; the file is damaged");
  }
  entries_.push_back(std::move(entry));
}

const WeightTable::Entry* WeightTable::find(std::string_view name) const {
  const auto found = index_.find(name);
  return found == index_.end() ? nullptr : &entries_[found->second];
}

bool WeightTable::has_prefix(std::string_view prefix) const {
  if (prefix.empty()) return !entries_.empty();
  if (find(prefix) != nullptr) return true;
  const std::string start = archive::text_of(prefix, '.');
  const auto at = index_.lower_bound(start);
  return at != index_.end() && at->first.compare(0, start.size(), start) == 0;
}

bool names_statistic(std::string_view name) {
  return name.find("running_") != std::string_view::npos || name.find("num_batches_tracked") != std::string_view::npos;
}

std::int64_t WeightTable::parameters() const {
  std::int64_t count = 0;
  for (const Entry& entry : entries_) {
    if (!names_statistic(entry.name)) count += archive::element_count(entry.shape);
  }
  return count;
}

std::vector<std::size_t> WeightTable::below(std::string_view prefix) const {
  const std::string start = prefix.empty() ? std::string() : archive::text_of(prefix, '.');
  std::vector<std::size_t> found;
  for (auto at = index_.lower_bound(start); at != index_.end() && at->first.compare(0, start.size(), start) == 0;
       ++at) {
    found.push_back(at->second);
  }
  std::sort(found.begin(), found.end());
  return found;
}

Weights::Weights(const WeightTable& table, std::string prefix) : table_(&table), prefix_(std::move(prefix)) {}

Weights Weights::operator/(std::string_view name) const { return Weights(*table_, joined(prefix_, name)); }

bool Weights::has(std::string_view name) const { return table_->has_prefix(joined(prefix_, name)); }

std::optional<std::vector<std::int64_t>> Weights::shape(std::string_view name) const {
  const WeightTable::Entry* entry = table_->find(joined(prefix_, name));
  if (entry == nullptr) return std::nullopt;
  return entry->shape;
}

std::int64_t Weights::size(std::string_view name, std::size_t dimension) const {
  const WeightTable::Entry* entry = table_->find(joined(prefix_, name));
  return entry != nullptr && dimension < entry->shape.size() ? entry->shape[dimension] : 0;
}

DType Weights::dtype(std::string_view name) const {
  const WeightTable::Entry* entry = table_->find(joined(prefix_, name));
  return entry == nullptr ? DType::unknown : entry->dtype;
}

std::vector<std::string> Weights::child_names() const {
  std::vector<std::string> numbers;
  std::vector<std::string> words;
  const std::size_t skip = prefix_.empty() ? 0 : prefix_.size() + 1;
  std::map<std::string, bool, std::less<>> seen;
  for (const std::size_t index : table_->below(prefix_)) {
    const std::string_view rest = std::string_view(table_->entries()[index].name).substr(skip);
    std::string child(rest.substr(0, rest.find('.')));
    if (!seen.emplace(child, true).second) continue;
    (is_number(child) ? numbers : words).push_back(std::move(child));
  }
  std::sort(numbers.begin(), numbers.end(), [](const std::string& a, const std::string& b) {
    const int left = std::stoi(a);
    const int right = std::stoi(b);
    return left != right ? left < right : a < b;
  });
  numbers.insert(numbers.end(), std::make_move_iterator(words.begin()), std::make_move_iterator(words.end()));
  return numbers;
}

std::vector<Weights> Weights::items() const {
  std::vector<Weights> views;
  for (const std::string& name : child_names()) {
    if (is_number(name)) views.push_back(*this / name);
  }
  return views;
}

std::size_t Weights::count() const { return items().size(); }

std::string_view Weights::name() const noexcept {
  const std::size_t dot = prefix_.rfind('.');
  return std::string_view(prefix_).substr(dot == std::string::npos ? 0 : dot + 1);
}

}  // namespace ptrun
