// CSV for spreadsheets: RFC 4180 quoting, UTF-8 without a byte order mark, one header line.
//
//   classify  one row an image: path, status, width, height, then index_1, label_1, score_1 (logit_1) to index_K ...,
//             then stage, error, path_b64
//   detect    one row a detection: path, status, width, height, index, label, score, x1, y1, x2, y2, corners, stage,
//             error, path_b64; an image without detections has one row with these columns empty. corners of rotated
//             boxes: x y of the four in turn, separated by spaces
//   keypoints the same with keypoints, x y score of each separated by spaces, instead of corners
//   segment   the same with area (pixels, semantic) and mask (COCO counts of [height, width]) instead
//
// The last column, path_b64, is base64 of a path that is not written as it is, else empty. Text that a spreadsheet
// would run as a formula (first character = + - @), also a mask, gets a leading apostrophe; control characters,
// bidirectional overrides and what is not UTF-8 are escaped as \xNN. JSONL keeps the exact text.
#include "core/text.h"
#include "output/output.h"
#include "output/text_format.h"

namespace ptrun {
namespace {

constexpr std::size_t kEscapeBytes = 8;  // of one byte, at most

class Line {
 public:
  void text(std::string_view value) {
    separate();
    std::string cell = printable(value, value.size() * kEscapeBytes);
    constexpr std::string_view kFormulaStarts = "=+-@";
    if (!cell.empty() && kFormulaStarts.find(cell.front()) != std::string_view::npos) cell.insert(0, 1, '\'');
    if (cell.find_first_of(",\"\r\n") == std::string::npos) {
      line_ += cell;
      return;
    }
    line_ += '"';
    for (const char c : cell) {
      if (c == '"') line_ += '"';
      line_ += c;
    }
    line_ += '"';
  }
  void integer(long long value) {
    separate();
    append_integer(line_, value);
  }
  void number(float value) {
    separate();
    append_6_digits(line_, static_cast<double>(value));
  }
  // Numbers separated by spaces: a minus is no formula there.
  void numbers(const std::string& values) {
    separate();
    line_ += values;
  }
  void empty(int cells = 1) {
    for (int i = 0; i < cells; ++i) separate();
  }
  std::string end() { return std::move(line_) + '\n'; }

 private:
  void separate() {
    if (!first_) line_ += ',';
    first_ = false;
  }
  std::string line_;
  bool first_ = true;
};

class CsvWriter final : public RowWriter {
 public:
  CsvWriter(ByteSink sink, const OutputContext& context) : sink_(std::move(sink)), context_(context) {
    std::string header = "path,status,width,height";
    const std::string score = context_.logits ? "logit" : "score";
    if (context_.task == Task::classify) {
      for (int k = 1; k <= context_.topk; ++k) {
        const std::string number = std::to_string(k);
        header.append(",index_").append(number).append(",label_").append(number);
        header.append(",").append(score).append("_").append(number);
      }
    } else {
      header += ",index,label," + score + ",x1,y1,x2,y2";
      header += context_.task == Task::segment     ? ",area,mask"
                : context_.task == Task::keypoints ? ",keypoints"
                                                   : ",corners";
    }
    header_ = header + ",stage,error,path_b64\n";
  }

  void write(const Row& row) override {
    write_header();
    if (!row.outcome.ok()) {
      Line line = begin(row);
      line.empty(task_cells());
      line.text(to_string(row.outcome.failure.stage));
      line.text(row.outcome.failure.message);
      sink_(end(line, row));
      return;
    }
    const Prediction& prediction = *row.outcome.prediction;
    if (context_.task == Task::classify) {
      sink_(classes(row, prediction));
    } else {
      sink_(objects(row, prediction));
    }
  }

  void finish() override { write_header(); }

 private:
  void write_header() {
    if (header_.empty()) return;
    sink_(header_);
    header_.clear();
  }

  int task_cells() const { return context_.task == Task::classify ? 3 * context_.topk : object_cells(); }
  int object_cells() const { return context_.task == Task::segment ? 9 : 8; }

  static Line begin(const Row& row) {
    Line line;
    line.text(row.path);
    line.text(row.outcome.ok() ? "ok" : "error");
    if (row.outcome.ok()) {
      line.integer(row.outcome.prediction->geometry.original_width);
      line.integer(row.outcome.prediction->geometry.original_height);
    } else {
      line.empty(2);
    }
    return line;
  }

  std::string classes(const Row& row, const Prediction& prediction) const {
    Line line = begin(row);
    for (std::size_t k = 0; k < static_cast<std::size_t>(context_.topk); ++k) {
      if (k >= prediction.classes.size()) {
        line.empty(3);
        continue;
      }
      line.integer(prediction.classes[k].index);
      line.text(prediction.classes[k].label);
      line.number(prediction.classes[k].score);
    }
    line.empty(2);
    return end(line, row);
  }

  static std::string end(Line& line, const Row& row) {
    line.text(printable(row.path, row.path.size() * kEscapeBytes) == row.path ? std::string() : base64(row.path));
    return line.end();
  }

  // "1 2.5 3": a cell of several numbers.
  static void append(std::string& cell, float value) {
    if (!cell.empty()) cell += ' ';
    append_6_digits(cell, static_cast<double>(value));
  }

  // What the task has beside boxes.
  void shape(Line& line, const Detection& item) const {
    std::string cell;
    if (context_.task == Task::segment) {
      line.empty();
      if (item.mask) cell = item.mask->counts;
    } else if (context_.task == Task::keypoints) {
      for (const Keypoint& point : item.keypoints) {
        for (const float value : {point.x, point.y, point.score}) append(cell, value);
      }
    } else {
      for (const Point& point : item.corners) {
        for (const float value : {point.x, point.y}) append(cell, value);
      }
    }
    if (context_.task == Task::segment) return line.text(cell);
    line.numbers(cell);
  }

  std::string objects(const Row& row, const Prediction& prediction) const {
    std::string lines;
    for (const Detection& item : prediction.detections) {
      Line line = begin(row);
      line.integer(item.index);
      line.text(item.label);
      for (const float value : {item.score, item.x1, item.y1, item.x2, item.y2}) line.number(value);
      shape(line, item);
      line.empty(2);
      lines += end(line, row);
    }
    for (const SegmentArea& item : prediction.segments) {
      Line line = begin(row);
      line.integer(item.index);
      line.text(item.label);
      line.empty(5);
      line.integer(item.area);
      line.empty(3);
      lines += end(line, row);
    }
    if (!lines.empty()) return lines;
    Line line = begin(row);
    line.empty(object_cells() + 2);
    return end(line, row);
  }

  ByteSink sink_;
  OutputContext context_;
  std::string header_;
};

}  // namespace

std::unique_ptr<RowWriter> make_csv_writer(ByteSink sink, const OutputContext& context) {
  return std::make_unique<CsvWriter>(std::move(sink), context);
}

}  // namespace ptrun
