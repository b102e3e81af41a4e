// The bytes that LibTorch gets to see: a zip archive put together from checked records, not the file itself. So no two
// zip readers can disagree about what a record is, and what was not checked (debug files, bytecode) is not there.
#pragma once

#include <caffe2/serialize/read_adapter_interface.h>

#include <cstdint>
#include <exception>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "loader/torchscript/scan.h"

namespace ptrun::torchscript {

// Stored records are read from the file when LibTorch asks for them and their CRC is checked in the same pass. One
// thread at a time per read; must not outlive `archive`'s zip, which it shares.
class ScriptReader final : public caffe2::serialize::ReadAdapterInterface {
 public:
  explicit ScriptReader(const ScriptArchive& archive);

  std::size_t size() const override { return static_cast<std::size_t>(size_); }
  // Copies what lies in [position, position + count) and never more. Returns 0 after a failure, which failure() tells:
  // exceptions do not cross LibTorch's zip code.
  std::size_t read(std::uint64_t position, void* buffer, std::size_t count, const char* what) const override;

  // Throws what went wrong inside read(): a CRC that does not match, a file that became shorter.
  void rethrow_failure() const;
  // Checks the CRC of records that were read in pieces or not at all. Throws bad_model.
  void verify_rest() const;

 private:
  struct Piece {
    std::uint64_t begin = 0;  // in the made-up archive
    std::uint64_t size = 0;
    std::string bytes;                         // headers and small records
    const archive::ZipEntry* entry = nullptr;  // else a record of the file
    bool verified = false;
  };

  void add_record(const std::string& name, const archive::ZipEntry* entry, std::string bytes);
  void add_bytes(std::string bytes);
  void add_directory();
  void read_piece(Piece& piece, std::uint64_t offset, char* to, std::size_t count) const;

  struct Listed {
    std::string name;
    std::uint64_t size;
    std::uint32_t crc32;
    std::uint64_t header_offset;
  };

  std::shared_ptr<const archive::ZipArchive> zip_;
  std::uint64_t size_ = 0;
  mutable std::vector<Piece> pieces_;
  std::vector<Listed> listed_;
  mutable std::exception_ptr failure_;
};

}  // namespace ptrun::torchscript
