// Little-endian fields and record layouts of the zip format (PKWARE APPNOTE 6.3), for zip*.cpp only.
#pragma once

#include <cstdint>
#include <string_view>

namespace ptrun::archive::zip_format {

inline constexpr std::uint32_t kLocalSignature = 0x04034B50;
inline constexpr std::uint32_t kCentralSignature = 0x02014B50;
inline constexpr std::uint32_t kEndSignature = 0x06054B50;
inline constexpr std::uint32_t kEnd64Signature = 0x06064B50;
inline constexpr std::uint32_t kLocator64Signature = 0x07064B50;
inline constexpr std::uint32_t kDescriptorSignature = 0x08074B50;

inline constexpr std::size_t kLocalBytes = 30;
inline constexpr std::size_t kCentralBytes = 46;
inline constexpr std::size_t kEndBytes = 22;
inline constexpr std::size_t kEnd64Bytes = 56;
inline constexpr std::size_t kLocator64Bytes = 20;
inline constexpr std::size_t kMaxComment = 0xFFFF;

inline constexpr std::uint32_t kIn64 = 0xFFFFFFFF;  // a 32-bit field whose value is in the zip64 extra
inline constexpr std::uint16_t kZip64Extra = 0x0001;
inline constexpr std::uint16_t kFlagEncrypted = 0x0001;
inline constexpr std::uint16_t kFlagDescriptor = 0x0008;  // sizes and CRC stand behind the data
inline constexpr std::uint16_t kFlagPatch = 0x0020;
inline constexpr std::uint16_t kFlagStrongEncryption = 0x0040;
inline constexpr std::uint16_t kFlagHiddenHeaders = 0x2000;
inline constexpr std::uint16_t kStored = 0;
inline constexpr std::uint16_t kDeflated = 8;

// The caller has checked that the bytes are there.
template <typename Number>
Number little(std::string_view bytes, std::size_t offset) {
  std::uint64_t value = 0;
  for (std::size_t i = 0; i < sizeof(Number); ++i) {
    value |= static_cast<std::uint64_t>(static_cast<unsigned char>(bytes[offset + i])) << (8U * i);
  }
  return static_cast<Number>(value);
}
inline std::uint16_t u16(std::string_view bytes, std::size_t offset) { return little<std::uint16_t>(bytes, offset); }
inline std::uint32_t u32(std::string_view bytes, std::size_t offset) { return little<std::uint32_t>(bytes, offset); }
inline std::uint64_t u64(std::string_view bytes, std::size_t offset) { return little<std::uint64_t>(bytes, offset); }

}  // namespace ptrun::archive::zip_format
