#include "support/pt_bytes.h"

#include <zlib.h>

#include <bit>
#include <cstring>
#include <limits>
#include <stdexcept>

namespace ptrun::test {

std::string le(std::uint64_t value, std::size_t bytes) {
  std::string text;
  for (std::size_t i = 0; i < bytes; ++i) text.push_back(static_cast<char>(i < 8 ? value >> (8U * i) : 0));
  return text;
}

PickleBytes::PickleBytes(int protocol) { raw(std::string("\x80") + static_cast<char>(protocol)); }

PickleBytes& PickleBytes::raw(std::string_view bytes) {
  bytes_ += bytes;
  return *this;
}

PickleBytes& PickleBytes::global(std::string_view module, std::string_view name) {
  return raw("c").raw(module).raw("\n").raw(name).raw("\n");
}

PickleBytes& PickleBytes::text(std::string_view value) { return raw("X").raw(le(value.size(), 4)).raw(value); }

PickleBytes& PickleBytes::integer(std::int64_t value) {
  const auto bits = static_cast<std::uint64_t>(value);
  if (value >= std::numeric_limits<std::int32_t>::min() && value <= std::numeric_limits<std::int32_t>::max()) {
    return raw("J").raw(le(bits, 4));
  }
  return raw("\x8A\x08").raw(le(bits, 8));
}

PickleBytes& PickleBytes::real(double value) {
  return raw("G").raw(le(__builtin_bswap64(std::bit_cast<std::uint64_t>(value)), 8));
}

PickleBytes& PickleBytes::boolean(bool value) { return raw(value ? "\x88" : "\x89"); }

PickleBytes& PickleBytes::integers(const std::vector<std::int64_t>& values) {
  mark();
  for (const std::int64_t value : values) integer(value);
  return tuple();
}

PickleBytes& PickleBytes::ordered_dict() { return global("collections", "OrderedDict").raw(")R"); }

PickleBytes& PickleBytes::storage(std::string_view storage_class, std::string_view key, std::int64_t count,
                                  std::string_view location) {
  mark().text("storage").global("torch", storage_class).text(key).text(location).integer(count).tuple();
  return raw("Q");
}

PickleBytes& PickleBytes::tensor(std::string_view storage_class, std::string_view key, std::int64_t count,
                                 std::int64_t offset, const std::vector<std::int64_t>& size,
                                 const std::vector<std::int64_t>& stride) {
  global("torch._utils", "_rebuild_tensor_v2").mark().storage(storage_class, key, count);
  return integer(offset).integers(size).integers(stride).boolean(false).ordered_dict().tuple().reduce();
}

std::string deflated(std::string_view data) {
  z_stream state = {};
  if (deflateInit2(&state, 9, Z_DEFLATED, -MAX_WBITS, 8, Z_DEFAULT_STRATEGY) != Z_OK) throw std::runtime_error("zlib");
  std::string out(deflateBound(&state, static_cast<uLong>(data.size())), '\0');
  std::string input(data);
  state.next_in = reinterpret_cast<Bytef*>(input.data());
  state.avail_in = static_cast<uInt>(input.size());
  state.next_out = reinterpret_cast<Bytef*>(out.data());
  state.avail_out = static_cast<uInt>(out.size());
  const int result = deflate(&state, Z_FINISH);
  out.resize(state.total_out);
  deflateEnd(&state);
  if (result != Z_STREAM_END) throw std::runtime_error("zlib");
  return out;
}

std::string zip_bytes(const std::vector<ZipRecord>& records, const ZipShape& shape) {
  constexpr std::uint64_t kIn64 = 0xFFFFFFFF;
  std::string file = shape.prefix;
  std::string directory;
  const std::uint64_t shift = shape.prefix_shifts_offsets ? 0 : shape.prefix.size();
  for (const ZipRecord& record : records) {
    const std::string stored = record.method == 8 ? deflated(record.data) : record.data;
    const std::uint64_t offset = record.offset.value_or(file.size() - shift);
    const std::uint64_t size = record.size.value_or(record.data.size());
    const std::uint64_t stored_size = record.stored_size.value_or(stored.size());
    const auto true_crc = static_cast<std::uint32_t>(
        crc32_z(crc32_z(0, nullptr, 0), reinterpret_cast<const Bytef*>(record.data.data()), record.data.size()));
    const std::uint32_t crc = record.crc.value_or(true_crc);
    const auto flags = static_cast<std::uint16_t>(record.flags | (record.descriptor ? 0x0808 : 0));
    const std::string& local_name = record.local_name ? *record.local_name : record.name;
    std::string extra;
    if (record.zip64) extra = le(1, 2) + le(16, 2) + le(size, 8) + le(stored_size, 8);
    const bool wide = record.zip64;
    file += le(0x04034B50, 4) + le(20, 2) + le(flags, 2) + le(record.local_method.value_or(record.method), 2) +
            le(0, 4) + le(record.descriptor ? 0 : crc, 4) +
            le(record.descriptor ? 0 : (wide ? kIn64 : stored_size), 4) +
            le(record.descriptor ? 0 : (wide ? kIn64 : size), 4) + le(local_name.size(), 2) +
            le(record.extra_length.value_or(static_cast<std::uint16_t>(extra.size())), 2) + local_name + extra + stored;
    if (record.descriptor) {
      file += le(0x08074B50, 4) + le(crc, 4) + le(stored_size, wide ? 8 : 4) + le(size, wide ? 8 : 4);
    }
    std::string central_extra;
    if (wide) central_extra = le(1, 2) + le(24, 2) + le(size, 8) + le(stored_size, 8) + le(offset, 8);
    directory += le(0x02014B50, 4) + le(20, 2) + le(20, 2) + le(flags, 2) + le(record.method, 2) + le(0, 4) +
                 le(crc, 4) + le(wide ? kIn64 : stored_size, 4) + le(wide ? kIn64 : size, 4) +
                 le(record.name.size(), 2) + le(central_extra.size(), 2) + le(0, 2) + le(0, 2) + le(0, 2) + le(0, 4) +
                 le(wide ? kIn64 : offset, 4) + record.name + central_extra;
  }
  const std::uint64_t directory_at = shape.directory_offset.value_or(file.size() - shift);
  const std::uint64_t directory_size = shape.directory_size.value_or(directory.size());
  const std::uint64_t count = shape.count.value_or(records.size());
  file += directory;
  if (shape.zip64) {
    const std::uint64_t end64_at = file.size();
    file += le(0x06064B50, 4) + le(44, 8) + le(45, 2) + le(45, 2) + le(0, 4) + le(0, 4) + le(count, 8) + le(count, 8) +
            le(directory_size, 8) + le(directory_at, 8);
    file += le(0x07064B50, 4) + le(0, 4) + le(end64_at, 8) + le(1, 4);
  }
  file += le(0x06054B50, 4) + le(0, 2) + le(0, 2) + le(count > 0xFFFF ? 0xFFFF : count, 2) +
          le(count > 0xFFFF ? 0xFFFF : count, 2) + le(directory_size, 4) + le(directory_at, 4) +
          le(shape.comment.size(), 2) + shape.comment;
  return file + shape.suffix;
}

std::vector<ZipRecord> torch_records(const std::string& pickle,
                                     const std::vector<std::pair<std::string, std::string>>& storages) {
  std::vector<ZipRecord> records;
  const auto add = [&](const std::string& name, const std::string& data) {
    ZipRecord record;
    record.name = "archive/" + name;
    record.data = data;
    record.descriptor = true;
    records.push_back(record);
  };
  add("data.pkl", pickle);
  add("byteorder", "little");
  for (const auto& [key, bytes] : storages) add("data/" + key, bytes);
  add("version", "3\n");
  return records;
}

std::string torch_zip(const std::string& pickle, const std::vector<std::pair<std::string, std::string>>& storages) {
  return zip_bytes(torch_records(pickle, storages), {.zip64 = true});
}

std::string legacy_bytes(const std::string& object, const std::vector<LegacyStorage>& storages) {
  std::string file("\x80\x02\x8A\x0A\x6C\xFC\x9C\x46\xF9\x20\x6A\xA8\x50\x19.", 15);
  file += PickleBytes().integer(1001).stop();
  file += PickleBytes()
              .raw("}(")
              .text("protocol_version")
              .integer(1001)
              .text("little_endian")
              .boolean(true)
              .raw("u")
              .stop();
  file += object;
  PickleBytes keys;
  keys.raw("](");
  for (const LegacyStorage& storage : storages) keys.text(storage.key);
  file += keys.raw("e").stop();
  for (const LegacyStorage& storage : storages)
    file += le(static_cast<std::uint64_t>(storage.count), 8) + storage.bytes;
  return file;
}

std::string safetensors_bytes(const std::string& header, const std::string& buffer) {
  return le(header.size(), 8) + header + buffer;
}

namespace {
std::string six_floats() {
  std::string bytes;
  for (int i = 0; i < 6; ++i) bytes += le(std::bit_cast<std::uint32_t>(static_cast<float>(i)), 4);
  return bytes;
}
}  // namespace

std::string good_pickle() {
  return PickleBytes().raw("}").text("weight").tensor("FloatStorage", "0", 6, 0, {2, 3}, {3, 1}).raw("s").stop();
}

std::string good_zip() { return torch_zip(good_pickle(), {{"0", six_floats()}}); }

std::string good_legacy() {
  const std::string object = PickleBytes()
                                 .raw("}")
                                 .text("weight")
                                 .global("torch._utils", "_rebuild_tensor_v2")
                                 .mark()
                                 .mark()
                                 .text("storage")
                                 .global("torch", "FloatStorage")
                                 .text("0")
                                 .text("cpu")
                                 .integer(6)
                                 .none()
                                 .tuple()
                                 .raw("Q")
                                 .integer(0)
                                 .integers({2, 3})
                                 .integers({3, 1})
                                 .boolean(false)
                                 .ordered_dict()
                                 .tuple()
                                 .reduce()
                                 .raw("s")
                                 .stop();
  return legacy_bytes(object, {{"0", 6, six_floats()}});
}

std::string good_safetensors() {
  return safetensors_bytes(R"({"weight":{"dtype":"F32","shape":[2,3],"data_offsets":[0,24]}})", six_floats());
}

}  // namespace ptrun::test
