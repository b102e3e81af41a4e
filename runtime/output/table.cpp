// A table for people at a terminal: one line an image, the best answer first. Not a format to parse: JSONL is.
#include <algorithm>
#include <array>
#include <cstdio>

#include "core/text.h"
#include "output/output.h"
#include "output/text_format.h"

namespace ptrun {
namespace {

constexpr std::size_t kLongestPath = 60;  // columns; a longer path moves the rest of its line to the right
constexpr std::size_t kLabelColumns = 24;
constexpr std::size_t kScoreColumns = 8;
constexpr std::size_t kMessageBytes = 1000;

std::string padded(std::string text, std::size_t columns) {
  const std::size_t width = display_width(text);
  if (width < columns) text.append(columns - width, ' ');
  return text;
}

std::string right_aligned(const std::string& text, std::size_t columns) {
  const std::size_t width = display_width(text);
  return width < columns ? std::string(columns - width, ' ') + text : text;
}

std::string score_text(float score, bool logits) {
  std::array<char, 32> text{};
  std::snprintf(text.data(), text.size(), logits ? "%.3f" : "%.1f %%", static_cast<double>(score) * (logits ? 1 : 100));
  return text.data();
}

std::string label_text(int index, const std::string& label) {
  return label.empty() ? "class " + std::to_string(index) : printable(label);
}

// The message without the path that stands in front of it already.
std::string_view without_subject(std::string_view message, std::string_view path) {
  if (message.size() > path.size() + 2 && message.substr(0, path.size()) == path &&
      message.substr(path.size(), 2) == ": ") {
    message.remove_prefix(path.size() + 2);
  }
  return message;
}

class TableWriter final : public RowWriter {
 public:
  TableWriter(ByteSink sink, const OutputContext& context)
      : sink_(std::move(sink)),
        context_(context),
        path_columns_(std::clamp<std::size_t>(context.path_columns, 5, kLongestPath)) {}

  void write(const Row& row) override {
    if (!header_written_) {
      const bool classify = context_.task == Task::classify;
      sink_(padded("image", path_columns_) + "  " +
            (classify ? padded("label", kLabelColumns) + "  " +
                            right_aligned(context_.logits ? "logit" : "score", kScoreColumns) + "  next"
                      : std::string("result")) +
            "\n");
      header_written_ = true;
    }
    std::string line = padded(printable(row.path, 4096), path_columns_) + "  ";
    if (row.outcome.ok()) {
      append_result(line, *row.outcome.prediction);
    } else {
      const Failure& failure = row.outcome.failure;
      line += std::string("ERROR ") + to_string(failure.stage) + ": " +
              printable(without_subject(failure.message, printable(row.path, 4096)), kMessageBytes);
    }
    line.erase(line.find_last_not_of(' ') + 1);
    sink_(line + '\n');
  }

  void finish() override {}

 private:
  // Adds ", item" while the line has room.
  bool append_item(std::string& line, const std::string& item, bool first) const {
    const std::string text = (first ? "" : ", ") + item;
    if (context_.line_columns != 0 && display_width(line) + display_width(text) > context_.line_columns) return false;
    line += text;
    return true;
  }

  void append_result(std::string& line, const Prediction& prediction) const {
    switch (prediction.task) {
      case Task::classify: append_classes(line, prediction); break;
      case Task::detect:
      case Task::segment:
      case Task::keypoints: append_objects(line, prediction); break;
      case Task::embed: line += std::to_string(prediction.embedding.size()) + " values"; break;
      case Task::restore:
        line += std::to_string(prediction.image_width) + " x " + std::to_string(prediction.image_height) + " pixels";
        break;
      case Task::tensors: append_tensors(line, prediction); break;
    }
  }

  void append_classes(std::string& line, const Prediction& prediction) const {
    bool first = true;
    for (std::size_t k = 0; k < prediction.classes.size(); ++k) {
      const ClassScore& item = prediction.classes[k];
      std::string label = label_text(item.index, item.label);
      const std::string score = score_text(item.score, prediction.logits);
      if (k == 0) {
        line += padded(label, kLabelColumns) + "  " + right_aligned(score, kScoreColumns) + "  ";
      } else {
        if (!append_item(line, label.append(" ").append(score), first)) break;
        first = false;
      }
    }
  }

  void append_objects(std::string& line, const Prediction& prediction) const {
    if (prediction.detections.empty() && prediction.segments.empty()) line += "nothing found";
    bool first = true;
    for (const Detection& item : prediction.detections) {
      if (!append_item(line, label_text(item.index, item.label) + " " + score_text(item.score, prediction.logits),
                       first)) {
        break;
      }
      first = false;
    }
    for (const SegmentArea& item : prediction.segments) {
      if (!append_item(line, label_text(item.index, item.label) + " " + std::to_string(item.area) + " px", first))
        break;
      first = false;
    }
  }

  void append_tensors(std::string& line, const Prediction& prediction) const {
    bool first = true;
    for (const TensorOutput& item : prediction.tensors) {
      std::string shape = printable(item.name) + "[";
      for (std::size_t i = 0; i < item.shape.size(); ++i) {
        shape.append(i == 0 ? "" : ", ").append(std::to_string(item.shape[i]));
      }
      if (!append_item(line, shape + "]", first)) break;
      first = false;
    }
  }

  ByteSink sink_;
  OutputContext context_;
  std::size_t path_columns_;
  bool header_written_ = false;
};

}  // namespace

std::unique_ptr<RowWriter> make_table_writer(ByteSink sink, const OutputContext& context) {
  return std::make_unique<TableWriter>(std::move(sink), context);
}

}  // namespace ptrun
