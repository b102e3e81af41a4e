#include "image/jpeg_reader.h"

#include <jerror.h>

#include <algorithm>
#include <cstring>
#include <new>

namespace ptrun::image {
namespace {

constexpr int kApp1 = JPEG_APP0 + 1;
constexpr std::size_t kAlignment = 64;
constexpr std::size_t kSmallestBlock = std::size_t{256} << 10U;
// Rows of the widest pictures take less; what markers or errors may need beyond it is not kept.
constexpr std::size_t kKept = std::size_t{16} << 20U;

std::size_t rounded(std::size_t bytes) { return (bytes + kAlignment - 1) / kAlignment * kAlignment; }

}  // namespace

void JpegMemory::Free::operator()(std::byte* block) const noexcept {
  ::operator delete(block, std::align_val_t(kAlignment));
}

bool JpegMemory::add_block(std::size_t size) noexcept {
  auto* bytes = static_cast<std::byte*>(::operator new(size, std::align_val_t(kAlignment), std::nothrow));
  if (bytes == nullptr) return false;
  try {
    blocks_.push_back({std::unique_ptr<std::byte, Free>(bytes), size});
  } catch (const std::bad_alloc&) {
    return false;
  }
  used_ = 0;
  return true;
}

void* JpegMemory::take(std::size_t bytes) noexcept {
  bytes = rounded(std::max<std::size_t>(bytes, 1));
  if (blocks_.empty() || blocks_.back().size - used_ < bytes) {
    if (!add_block(std::max(bytes, kSmallestBlock))) return nullptr;
  }
  void* taken = blocks_.back().bytes.get() + used_;
  used_ += bytes;
  return taken;
}

void JpegMemory::give_back() noexcept {
  used_ = 0;
  std::size_t size = 0;
  for (const Block& block : blocks_) size += block.size;
  if (blocks_.size() < 2 && size <= kKept) return;
  // One block for all of it next time.
  blocks_.clear();
  if (size <= kKept) add_block(size);
}

JpegReader::JpegReader() {
  info_.err = jpeg_std_error(&errors_);
  errors_.error_exit = [](j_common_ptr info) {
    (*info->err->format_message)(info, of(info).message_.data());
    std::longjmp(of(info).jump_, 1);  // NOLINT: the library's way out
  };
  errors_.output_message = [](j_common_ptr) {};  // warnings are no errors, and nothing is printed
  info_.client_data = this;

  source_.init_source = [](j_decompress_ptr) {};
  source_.term_source = [](j_decompress_ptr) {};
  source_.fill_input_buffer = [](j_decompress_ptr) -> boolean { return FALSE; };
  source_.resync_to_restart = jpeg_resync_to_restart;
  source_.skip_input_data = [](j_decompress_ptr info, long count) {
    if (count <= 0) return;
    const auto skipped = std::min(static_cast<std::size_t>(count), info->src->bytes_in_buffer);
    info->src->next_input_byte += skipped;
    info->src->bytes_in_buffer -= skipped;
  };
  progress_.progress_monitor = [](j_common_ptr info) {
    const JpegReader& self = of(info);
    if (self.info_.input_scan_number > self.max_scans_) ERREXIT(info, JERR_TOO_LITTLE_DATA);
  };
}

JpegReader::~JpegReader() {
  if (created_) jpeg_destroy_decompress(&info_);
}

void* JpegReader::take(j_common_ptr info, int /*pool*/, std::size_t bytes) {
  void* taken = of(info).memory_.take(bytes);
  if (taken == nullptr) ERREXIT1(info, JERR_OUT_OF_MEMORY, 0);
  return taken;
}

// Everything that the library allocates for an image, its tables too. The coefficients of progressive files are the
// exception: they may be large, and the library's own manager serves them.
void JpegReader::use_own_memory() {
  jpeg_memory_mgr& manager = *info_.mem;
  manager.alloc_small = take;
  manager.alloc_large = take;
  manager.alloc_sarray = [](j_common_ptr info, int pool, JDIMENSION samples, JDIMENSION count) {
    auto** rows = static_cast<JSAMPROW*>(take(info, pool, count * sizeof(JSAMPROW)));
    const std::size_t size = rounded(samples * sizeof(JSAMPLE));
    auto* bytes = static_cast<JSAMPLE*>(take(info, pool, count * size));
    for (JDIMENSION i = 0; i < count; ++i) rows[i] = bytes + i * size;
    return rows;
  };
  manager.alloc_barray = [](j_common_ptr info, int pool, JDIMENSION blocks, JDIMENSION count) {
    auto** rows = static_cast<JBLOCKROW*>(take(info, pool, count * sizeof(JBLOCKROW)));
    auto* bytes = static_cast<JBLOCK*>(take(info, pool, std::size_t{count} * blocks * sizeof(JBLOCK)));
    for (JDIMENSION i = 0; i < count; ++i) rows[i] = bytes + std::size_t{i} * blocks;
    return rows;
  };
  free_pool_ = manager.free_pool;
  manager.free_pool = [](j_common_ptr info, int pool) {
    of(info).free_pool_(info, pool);
    if (pool == JPOOL_IMAGE) of(info).memory_.give_back();
  };
}

JpegReader::Result JpegReader::read_header(std::string_view bytes) {
  message_.front() = '\0';
  errors_.msg_code = 0;
  errors_.num_warnings = 0;
  source_.next_input_byte = reinterpret_cast<const JOCTET*>(bytes.data());
  source_.bytes_in_buffer = bytes.size();
  if (setjmp(jump_) != 0) return Result::failed;  // NOLINT: see the class
  if (!created_) {
    created_ = true;  // from here on there may be something to free
    jpeg_create_decompress(&info_);
    info_.client_data = this;
    info_.src = &source_;
    jpeg_save_markers(&info_, kApp1, 0xFFFF);
    use_own_memory();
  }
  jpeg_abort_decompress(&info_);
  // A file without tables must not get those of the one before; they lay in memory that was given back.
  std::fill(std::begin(info_.quant_tbl_ptrs), std::end(info_.quant_tbl_ptrs), nullptr);
  std::fill(std::begin(info_.dc_huff_tbl_ptrs), std::end(info_.dc_huff_tbl_ptrs), nullptr);
  std::fill(std::begin(info_.ac_huff_tbl_ptrs), std::end(info_.ac_huff_tbl_ptrs), nullptr);
  info_.image_width = info_.image_height = 0;
  info_.output_scanline = 0;
  info_.input_scan_number = 0;
  info_.progressive_mode = FALSE;
  info_.progress = nullptr;
  int state = JPEG_HEADER_TABLES_ONLY;
  while (state == JPEG_HEADER_TABLES_ONLY) state = jpeg_read_header(&info_, FALSE);
  return state == JPEG_SUSPENDED ? Result::suspended : Result::done;
}

JpegReader::Result JpegReader::start(int max_scans, int reduction) {
  if (setjmp(jump_) != 0) return Result::failed;  // NOLINT: see the class
  max_scans_ = max_scans;
  info_.progress = &progress_;
  info_.scale_num = 1;
  info_.scale_denom = static_cast<unsigned>(reduction);
  info_.out_color_space = info_.num_components == 4 ? JCS_CMYK : JCS_RGB;
  return jpeg_start_decompress(&info_) != FALSE ? Result::done : Result::suspended;
}

JpegReader::Result JpegReader::read_rows(std::uint8_t** rows, unsigned count) {
  if (setjmp(jump_) != 0) return Result::failed;  // NOLINT: see the class
  return jpeg_read_scanlines(&info_, rows, count) > 0 ? Result::done : Result::suspended;
}

JpegReader::Result JpegReader::crop_columns(unsigned& left, unsigned& width) {
  if (setjmp(jump_) != 0) return Result::failed;  // NOLINT: see the class
  jpeg_crop_scanline(&info_, &left, &width);
  return Result::done;
}

JpegReader::Result JpegReader::skip_rows(unsigned count) {
  if (setjmp(jump_) != 0) return Result::failed;  // NOLINT: see the class
  return jpeg_skip_scanlines(&info_, count) == count ? Result::done : Result::suspended;
}

bool JpegReader::out_of_memory() const { return errors_.msg_code == JERR_OUT_OF_MEMORY; }

}  // namespace ptrun::image
