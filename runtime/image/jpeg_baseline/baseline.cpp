#include "image/jpeg_baseline/baseline.h"

#include <algorithm>
#include <cstring>
#include <limits>

namespace ptrun::image {
namespace {

std::size_t divide_up(std::size_t value, std::size_t by) { return (value + by - 1) / by; }

// Samples of the nearest and the next nearest rows or columns that make the pixels [first, end), of `count` in all.
struct Span {
  std::size_t first = 0;
  std::size_t end = 0;
};
Span source_of(std::size_t first, std::size_t end, std::size_t by, std::size_t count) {
  if (by == 1) return {first, end};
  return {std::max<std::size_t>(first / by, 1) - 1, std::min((end - 1) / by + 2, count)};
}

bool has_factors(const jpeg_component_info& component, int across, int down) {
  return component.h_samp_factor == across && component.v_samp_factor == down;
}

}  // namespace

bool BaselineDecoder::prepare(const jpeg_decompress_struct& info, std::string_view scan, int reduction,
                              const JpegKernel& kernel) {
  kernel_ = &kernel;
  scan_ = scan;
  if (info.progressive_mode != FALSE || info.arith_code != FALSE || info.data_precision != 8) return false;
  if (info.comps_in_scan != info.num_components) return false;
  if (info.Ss != 0 || info.Se != DCTSIZE2 - 1 || info.Ah != 0 || info.Al != 0) return false;
  // With an end marker somewhere libjpeg never runs out of bytes, whatever of the picture is read.
  if (scan.rfind("\xFF\xD9") == std::string_view::npos) return false;
  restart_interval_ = info.restart_interval;
  return set_sampling(info, static_cast<std::size_t>(reduction)) && set_tables(info);
}

bool BaselineDecoder::set_sampling(const jpeg_decompress_struct& info, std::size_t reduction) {
  Plane& luma = planes_[0];
  luma.columns = luma.rows = 1;
  if (info.num_components == 3 && info.jpeg_color_space == JCS_YCbCr) {
    if (!has_factors(info.comp_info[1], 1, 1) || !has_factors(info.comp_info[2], 1, 1)) return false;
    luma.columns = static_cast<std::size_t>(info.comp_info[0].h_samp_factor);
    luma.rows = static_cast<std::size_t>(info.comp_info[0].v_samp_factor);
    if (luma.columns > 2 || luma.rows > luma.columns) return false;
  } else if (info.num_components != 1 || info.jpeg_color_space != JCS_GRAYSCALE ||
             !has_factors(info.comp_info[0], 1, 1)) {
    return false;
  }
  luma.side = DCTSIZE / reduction;
  // As libjpeg, which leaves chroma larger where that saves the filter.
  const bool filtered = luma.columns == 2 && (luma.rows == 1 || reduction == 1);
  for (std::size_t c = 1; c < planes_.size(); ++c) planes_.at(c).side = luma.side * (filtered ? 1 : luma.columns);
  across_ = filtered ? luma.columns : 1;
  down_ = filtered ? luma.rows : 1;
  sampling_ = info.num_components == 1 ? Sampling::grey
              : !filtered              ? Sampling::full
              : down_ == 1             ? Sampling::half_width
                                       : Sampling::half_both;
  width_ = divide_up(info.image_width, reduction);
  height_ = divide_up(info.image_height, reduction);
  mcu_width_ = luma.columns * luma.side;
  mcu_height_ = luma.rows * luma.side;
  // libjpeg doubles the narrowest rows and the smallest blocks without a filter.
  return !filtered || (luma.side > 1 && divide_up(width_, across_) > 2);
}

bool BaselineDecoder::set_tables(const jpeg_decompress_struct& info) {
  plan_.components = static_cast<std::size_t>(info.num_components);
  for (std::size_t c = 0; c < plan_.components; ++c) {
    const jpeg_component_info* component = info.cur_comp_info[c];
    if (component != info.comp_info + c) return false;  // another order in the scan
    const auto valid = [](int number) { return number >= 0 && number < NUM_HUFF_TBLS; };
    static_assert(NUM_HUFF_TBLS == NUM_QUANT_TBLS);
    if (!valid(component->quant_tbl_no) || !valid(component->dc_tbl_no) || !valid(component->ac_tbl_no)) return false;
    const JQUANT_TBL* quantisation = info.quant_tbl_ptrs[component->quant_tbl_no];
    const JHUFF_TBL* dc = info.dc_huff_tbl_ptrs[component->dc_tbl_no];
    const JHUFF_TBL* ac = info.ac_huff_tbl_ptrs[component->ac_tbl_no];
    if (quantisation == nullptr || dc == nullptr || ac == nullptr) return false;
    HuffmanTable& dc_table = dc_.at(static_cast<std::size_t>(component->dc_tbl_no));
    HuffmanTable& ac_table = ac_.at(static_cast<std::size_t>(component->ac_tbl_no));
    if (!quantisation_.at(c).set(quantisation->quantval) || !dc_table.make(dc->bits, dc->huffval, true) ||
        !ac_table.make(ac->bits, ac->huffval, false))
      return false;
    plan_.dc.at(c) = &dc_table;
    plan_.ac.at(c) = &ac_table;
    plan_.blocks.at(c) = planes_.at(c).columns * planes_.at(c).rows;
  }
  return true;
}

void BaselineDecoder::set_part(const Region& region) {
  // Pixels are made in pairs that share a chroma sample.
  part_.left = static_cast<std::size_t>(region.left) / across_ * across_;
  part_.right = static_cast<std::size_t>(region.left) + static_cast<std::size_t>(region.width);
  part_.top = static_cast<std::size_t>(region.top);
  part_.bottom = static_cast<std::size_t>(region.top) + static_cast<std::size_t>(region.height);
  const Span columns = source_of(part_.left, part_.right, across_, divide_up(width_, across_));
  const Span rows = source_of(part_.top, part_.bottom, down_, divide_up(height_, down_));
  part_.first_mcu = columns.first / (mcu_width_ / across_);
  part_.end_mcu = divide_up(columns.end, mcu_width_ / across_);
  part_.first_row = rows.first / (mcu_height_ / down_);
  part_.end_row = divide_up(rows.end, mcu_height_ / down_);

  std::size_t size = 0;
  std::array<std::size_t, kMaxComponents> starts{};
  for (std::size_t c = 0; c < plan_.components; ++c) {
    Plane& plane = planes_.at(c);
    plane.stride = kRowBegin + (part_.end_mcu - part_.first_mcu) * plane.columns * plane.side + kRowEnd;
    starts.at(c) = size + plane.stride + kRowBegin;
    size += plane.stride * (plane.rows * plane.side + 1);
  }
  if (samples_.size() < size) samples_.resize(size);
  for (std::size_t c = 0; c < plan_.components; ++c) planes_.at(c).first = samples_.data() + starts.at(c);
}

// The next MCUs; those of one group when they are stored.
bool BaselineDecoder::read(std::size_t mcus, bool store) {
  for (std::size_t done = 0; done < mcus;) {
    if (until_restart_ == 0) {
      if (!reader_.restart()) return false;
      until_restart_ = restart_interval_;
    }
    const std::size_t count = std::min(mcus - done, until_restart_);
    const std::ptrdiff_t found =
        store ? kernel_->decode(plan_, reader_, count, group_, done) : kernel_->skip(plan_, reader_, count, group_);
    if (found < 0) return false;
    done += static_cast<std::size_t>(found);
    until_restart_ -= static_cast<std::size_t>(found);
    if (static_cast<std::size_t>(found) < count && !reader_.more()) return false;
  }
  return true;
}

bool BaselineDecoder::decode_row() {
  std::array<std::uint8_t*, kGroup * kMaxBlocks> out{};
  for (std::size_t mcu = part_.first_mcu; mcu < part_.end_mcu; mcu += kGroup) {
    const std::size_t count = std::min(kGroup, part_.end_mcu - mcu);
    if (!read(count, true)) return false;
    for (std::size_t c = 0; c < plan_.components; ++c) {
      const Plane& plane = planes_.at(c);
      const std::size_t step = plane.columns * plane.side;
      std::size_t blocks = 0;
      std::uint8_t* at = plane.first + (mcu - part_.first_mcu) * step;
      for (std::size_t i = 0; i < count; ++i, at += step)
        for (std::size_t y = 0; y < plane.rows; ++y)
          for (std::size_t x = 0; x < plane.columns; ++x)
            out.at(blocks++) = at + y * plane.side * plane.stride + x * plane.side;
      if (!kernel_->transform(group_, c, blocks, quantisation_.at(c), plane.side, out.data(), plane.stride))
        return false;
    }
  }
  return true;
}

// The filter finds the outermost column again outside the picture; libjpeg has special cases of the same result.
void BaselineDecoder::extend_edges() {
  if (across_ == 1) return;
  const std::size_t first = part_.first_mcu * mcu_width_ / across_;
  const std::size_t end = part_.end_mcu * mcu_width_ / across_;
  const std::size_t count = divide_up(width_, across_);
  for (std::size_t c = 1; c < plan_.components; ++c) {
    for (std::size_t y = 0; y < mcu_height_ / down_; ++y) {
      std::uint8_t* const row = planes_.at(c).row(static_cast<std::ptrdiff_t>(y));
      if (first == 0) row[-1] = row[0];
      if (end >= count) row[count - first] = row[count - first - 1];
    }
  }
}

// What can be made once the MCU row is there. Where chroma has half the rows, the last row of pixels waits for the next
// one.
void BaselineDecoder::write_rows(std::size_t mcu_row, RowWriter& writer) {
  const std::size_t waiting = down_ - 1;
  const std::size_t begin = mcu_row * mcu_height_;
  const std::size_t first = std::max(part_.top, std::max(begin, waiting) - waiting);
  const std::size_t end =
      mcu_row + 1 == part_.end_row ? part_.bottom : std::min(part_.bottom, begin + mcu_height_ - waiting);
  const auto chroma_begin = static_cast<std::ptrdiff_t>(begin / down_);
  const auto chroma_end = static_cast<std::ptrdiff_t>(divide_up(height_, down_));
  const std::size_t left = part_.left - part_.first_mcu * mcu_width_;
  for (std::size_t y = first; y < end; ++y) {
    std::array<SampleRows, kMaxComponents> rows{};
    for (std::size_t c = 1; c < plan_.components; ++c) {
      const auto near = static_cast<std::ptrdiff_t>(y / down_);
      std::ptrdiff_t far = down_ == 1 ? near : y % 2 == 0 ? near - 1 : near + 1;
      if (far < 0 || far >= chroma_end) far = near;
      rows.at(c) = {planes_.at(c).row(near - chroma_begin) + left / across_,
                    planes_.at(c).row(far - chroma_begin) + left / across_};
    }
    const std::uint8_t* luma =
        planes_.at(0).row(static_cast<std::ptrdiff_t>(y) - static_cast<std::ptrdiff_t>(begin)) + left;
    kernel_->rows.at(static_cast<std::size_t>(sampling_))(luma, rows[1], rows[2], part_.right - part_.left,
                                                          writer.row(y));
    writer.made(y + 1);
  }
}

// The last row of each plane becomes the one before the first.
void BaselineDecoder::keep_last_rows() {
  if (down_ == 1) return;
  for (std::size_t c = 0; c < plan_.components; ++c) {
    const Plane& plane = planes_.at(c);
    std::memcpy(plane.row(-1) - kRowBegin,
                plane.row(static_cast<std::ptrdiff_t>(plane.rows * plane.side) - 1) - kRowBegin, plane.stride);
  }
}

bool BaselineDecoder::decode(const Region& region, RowWriter& writer) {
  set_part(region);
  writer.begin(part_.top, part_.bottom, part_.left, part_.right - part_.left);
  for (auto& coefficients : group_.coefficients) coefficients.fill(0);
  reader_.begin(scan_);
  until_restart_ = restart_interval_ > 0 ? restart_interval_ : std::numeric_limits<std::size_t>::max();
  const std::size_t mcus = divide_up(width_, mcu_width_);
  for (std::size_t row = 0; row < part_.end_row; ++row) {
    if (row < part_.first_row) {
      if (!read(mcus, false)) return false;
      continue;
    }
    if (!read(part_.first_mcu, false) || !decode_row() || !read(mcus - part_.end_mcu, false)) return false;
    if (reader_.overrun()) return false;
    extend_edges();
    write_rows(row, writer);
    keep_last_rows();
  }
  return part_.end_row < divide_up(height_, mcu_height_) || reader_.at_end();
}

}  // namespace ptrun::image
