// Model files built in memory, byte by byte, so that a test can get any one thing wrong. Nothing here checks anything.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace ptrun::test {

// Little-endian bytes of a number.
std::string le(std::uint64_t value, std::size_t bytes);

// A pickle, opcode by opcode; every method appends and returns *this.
class PickleBytes {
 public:
  explicit PickleBytes(int protocol = 2);

  PickleBytes& raw(std::string_view bytes);
  PickleBytes& global(std::string_view module, std::string_view name);
  PickleBytes& text(std::string_view value);  // BINUNICODE
  PickleBytes& integer(std::int64_t value);   // BININT, or LONG1 beyond 32 bits
  PickleBytes& real(double value);
  PickleBytes& boolean(bool value);
  PickleBytes& none() { return raw("N"); }
  PickleBytes& mark() { return raw("("); }
  PickleBytes& tuple() { return raw("t"); }  // from MARK
  PickleBytes& reduce() { return raw("R"); }
  PickleBytes& integers(const std::vector<std::int64_t>& values);  // a tuple
  PickleBytes& ordered_dict();                                     // an empty OrderedDict
  // Persistent id ('storage', torch.CLASS, key, location, count).
  PickleBytes& storage(std::string_view storage_class, std::string_view key, std::int64_t count,
                       std::string_view location = "cpu");
  // _rebuild_tensor_v2 over such a storage.
  PickleBytes& tensor(std::string_view storage_class, std::string_view key, std::int64_t count, std::int64_t offset,
                      const std::vector<std::int64_t>& size, const std::vector<std::int64_t>& stride);
  // The bytes with STOP.
  std::string stop() const { return bytes_ + "."; }
  const std::string& bytes() const { return bytes_; }

 private:
  std::string bytes_;
};

// One record of a zip; what is set overrides the truth.
struct ZipRecord {
  std::string name;
  std::string data;
  std::uint16_t method = 0;  // 8: data is deflated by ZipBytes
  std::uint16_t flags = 0;
  std::optional<std::uint32_t> crc;
  std::optional<std::uint64_t> size;
  std::optional<std::uint64_t> stored_size;
  std::optional<std::uint64_t> offset;
  std::optional<std::string> local_name;
  std::optional<std::uint16_t> local_method;
  std::optional<std::uint16_t> extra_length;  // of the local header, as claimed
  bool descriptor = false;                    // sizes and CRC behind the data, as PyTorch writes them
  bool zip64 = false;                         // sizes and offset in extra fields
};

struct ZipShape {
  bool zip64 = false;                 // zip64 end record and locator
  std::string prefix = {};            // in front of the first record, offsets not moved
  bool prefix_shifts_offsets = true;  // offsets counted from the file's first byte
  std::string suffix = {};            // behind the end record
  std::string comment = {};
  std::optional<std::uint64_t> count = {};
  std::optional<std::uint64_t> directory_size = {};
  std::optional<std::uint64_t> directory_offset = {};
};

std::string deflated(std::string_view data);
std::string zip_bytes(const std::vector<ZipRecord>& records, const ZipShape& shape = {});

// Records of a sound torch.save zip: data.pkl, version, byteorder and data/KEY.
std::vector<ZipRecord> torch_records(const std::string& pickle,
                                     const std::vector<std::pair<std::string, std::string>>& storages);
std::string torch_zip(const std::string& pickle, const std::vector<std::pair<std::string, std::string>>& storages);

// A legacy stream; `object` is the fourth pickle, each storage is (key, element count, bytes).
struct LegacyStorage {
  std::string key;
  std::int64_t count;
  std::string bytes;
};
std::string legacy_bytes(const std::string& object, const std::vector<LegacyStorage>& storages);

// Header length, header, buffer.
std::string safetensors_bytes(const std::string& header, const std::string& buffer);

// {"weight": float32 [2, 3]} with values 0..5, in each container.
std::string good_pickle();
std::string good_zip();
std::string good_legacy();
std::string good_safetensors();

}  // namespace ptrun::test
