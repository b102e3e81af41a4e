// Pickles of which exactly one thing is wrong; most of these broke a released loader (reliability.md 1.3).
#include <unistd.h>

#include "hostile/refuse.h"
#include "support/pt_bytes.h"
#include "support/scratch.h"

namespace ptrun::test {
namespace {

using namespace std::string_literals;

const std::string kSix(24, '\0');

// `pickle` as data.pkl of a sound archive, and as the object of a legacy file.
void expect_bad_pickle(const std::string& pickle, const std::string& cause, ErrorCode code = ErrorCode::bad_model) {
  expect_refused(torch_zip(pickle, {{"0", kSix}}), code, cause);
  expect_refused(legacy_bytes(pickle, {{"0", 6, kSix}}), code, cause);
}

std::string repeated(const std::string& text, std::size_t count) {
  std::string all;
  all.reserve(text.size() * count);
  for (std::size_t i = 0; i < count; ++i) all += text;
  return all;
}

TEST(AimedPickle, ClaimedLengths) {
  // 20 bytes that made LibTorch allocate 4.1 GB.
  expect_bad_pickle("\x80\x02X\xF0\xFF\xFF\xFFshort.", "a value of 4294967280 bytes is claimed");
  expect_bad_pickle("\x80\x04\x8D\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFFx.",
                    "a value of 18446744073709551615 bytes is claimed");
  expect_bad_pickle("\x80\x04\x8E\x00\x00\x00\x00\x01\x00\x00\x00x."s, "a value of 4294967296 bytes is claimed");
  expect_bad_pickle("\x80\x05\x96\x00\x00\x00\x00\x00\x00\x00\x7Fx."s, "bytes is claimed");
  expect_bad_pickle("\x80\x03"s + "B\xFF\xFF\xFF\x7Fx.", "a value of 2147483647 bytes is claimed");
  expect_bad_pickle("\x80\x02\x8B\xFF\xFF\xFF\x7Fx.", "a value of 2147483647 bytes is claimed");
  expect_bad_pickle("\x80\x02\x8B\xFF\xFF\xFF\xFFx.", "a length of -1 is negative");
  expect_bad_pickle("\x80\x02T\xFE\xFF\xFF\xFFx.", "a length of -2 is negative");
  expect_bad_pickle("\x80\x04\x95\xFF\xFF\xFF\xFF\xFF\xFF\xFF\x7FN.", "a FRAME reaches past the end");
}

TEST(AimedPickle, MemoIndexes) {
  expect_bad_pickle("\x80\x02]r\xF0\xFF\xFF\xFF.", "memo index 4294967280 after 3 opcodes");
  expect_bad_pickle("\x80\x02]r\x00\x01\x00\x00."s, "memo index 256 after 3 opcodes");
  expect_bad_pickle("(lp4000000000\n.", "memo index 4000000000 after");
  expect_bad_pickle("(lp99999999999999999999999\n.", "a memo index is not a number");
  expect_bad_pickle("\x80\x02h\x07.", "memo index 7 is read but was never set");
  expect_bad_pickle("\x80\x02j\xFF\xFF\xFF\xFF.", "memo index 4294967295 is read but was never set");
  expect_bad_pickle("\x80\x02q\x01.", "an opcode takes a value from an empty stack");
}

TEST(AimedPickle, Depth) {
  const auto limit = ErrorCode::limit_exceeded;
  const std::string deeper = "nested deeper than the limit of 1000";
  constexpr std::size_t kMillion = 1'000'000;
  // A million nested tuples or lists ended LibTorch by a stack overflow.
  expect_bad_pickle("\x80\x02)" + repeated("\x85", kMillion) + ".", deeper, limit);
  expect_bad_pickle("\x80\x02" + repeated("]", kMillion) + repeated("a", kMillion - 1) + ".", deeper, limit);
  expect_bad_pickle("\x80\x02" + repeated("(", kMillion) + repeated("t", kMillion) + ".", deeper, limit);
  expect_bad_pickle("\x80\x02" + repeated("}K\x01", 300'000) + repeated("}ss", 1) + repeated("s", 299'998) + ".",
                    deeper, limit);
  expect_bad_pickle("\x80\x02N" + repeated("ca\nb\n", 2000) + repeated("N\x85R", 1) + ".",
                    "values are left at the end");
}

TEST(AimedPickle, StackAndMarks) {
  expect_bad_pickle("\x80\x02.", "0 values are left at the end, expected 1");
  expect_bad_pickle("\x80\x02NN.", "2 values are left at the end");
  expect_bad_pickle("\x80\x02N(.", "a MARK is open at the end");
  expect_bad_pickle("\x80\x02t.", "an opcode needs a MARK and there is none");
  for (const char* opcode : {"\x85", "\x86", "\x87", "a", "s", "R", "\x81", "b", "Q", "2", "0", "\x92", "\x93"}) {
    SCOPED_TRACE(opcode);
    expect_bad_pickle("\x80\x02"s + opcode + ".", "an opcode takes a value from an empty stack");
    expect_bad_pickle("\x80\x02N("s + (opcode[0] == '0' ? "00" : opcode) + ".",
                      opcode[0] == '0' ? "0 values are left" : "an opcode takes a value from an empty stack");
  }
  for (const char* opcode : {"t", "l", "d", "e", "u", "\x90", "\x91", "1", "o"}) {
    SCOPED_TRACE(opcode);
    expect_bad_pickle("\x80\x02N"s + opcode + ".", "an opcode needs a MARK and there is none");
  }
}

TEST(AimedPickle, WrongTargets) {
  expect_bad_pickle("\x80\x02)Na.", "items are appended to something that is not a list");
  expect_bad_pickle("\x80\x02N(Ne.", "items are appended to something that is not a list");
  expect_bad_pickle("\x80\x04](N\x90.", "items are appended to something that is not a set");
  expect_bad_pickle("\x80\x02]NNs.", "a key is set on something that is not a dict");
  expect_bad_pickle("\x80\x02N(NNu.", "a key is set on something that is not a dict");
  expect_bad_pickle("\x80\x02}(Nu.", "a dict gets a key without a value");
  expect_bad_pickle("\x80\x02(Nd.", "a dict gets a key without a value");
  expect_bad_pickle("\x80\x02}}b.", "a state is set on something that is not an object");
  expect_bad_pickle("\x80\x02"s + "ca\nb\nNR.", "a call has arguments that are not a tuple");
  expect_bad_pickle("\x80\x02N)R.", "a call names something that is neither a class nor a function");
  expect_bad_pickle("\x80\x02X\x01\x00\x00\x00"s + "a)\x81.", "a call names something that is neither");
  expect_bad_pickle("\x80\x04"s + "ca\nb\n)N\x92.", "keyword arguments are not a dict");
  expect_bad_pickle("\x80\x02(No.", "an object has no class");
  expect_bad_pickle("\x80\x02(o.", "an object has no class");
  expect_bad_pickle("\x80\x04NN\x93.", "a global's name is not a text");
  expect_bad_pickle("\x80\x02"s + "c\n\n.", "a global has an empty name");
  expect_bad_pickle("\x80\x02"s + "ca\nb\n)R(NNu(Ne.", "a value is used as list and as dict");
  // SETITEM on a tensor, the write of CVE-2026-24747.
  expect_bad_pickle(PickleBytes().tensor("FloatStorage", "0", 6, 0, {6}, {1}).raw("NNs").stop(),
                    "a tensor is used as a list or a dict");
}

TEST(AimedPickle, Opcodes) {
  expect_bad_pickle("\x80\x06N.", "pickle protocol 6", ErrorCode::unsupported);
  expect_bad_pickle("\x80\x02\xFF.", "opcode 255 does not exist");
  expect_bad_pickle(std::string("\x80\x02\0.", 4), "opcode 0 does not exist");
  for (const char* opcode : {"\x82\x01", "\x83\x01\x01", "\x84\x01\x01\x01\x01"}) {
    expect_bad_pickle("\x80\x02"s + opcode + ".", "the extension registry is used");
  }
  expect_bad_pickle("\x80\x05\x97.", "bytes outside the pickle are used");
  expect_bad_pickle("\x80\x05N\x98.", "bytes outside the pickle are used");
  expect_bad_pickle("\x80\x02Ix\n.", "an integer is not one of 64 bits");
  expect_bad_pickle("\x80\x02L99999999999999999999L\n.", "an integer is not one of 64 bits");
  expect_bad_pickle("\x80\x02"s + "Fx\n.", "a number cannot be read");
  expect_bad_pickle("\x80\x02Sx\n.", "a string is not in quotes");
  expect_bad_pickle("\x80\x02S'\\xg0'\n.", "a string has a wrong escape");
  expect_bad_pickle("\x80\x02V\\u12\n.", "a string has a wrong escape");
  expect_bad_pickle("\x80\x02V\\UFFFFFFFF\n.", "a string has a wrong escape");
  expect_refused(torch_zip("\x80\x02N.trailing", {}), ErrorCode::bad_model, "8 bytes follow the end of the pickle");
  expect_refused(torch_zip("", {}), ErrorCode::bad_model, "a value of 1 bytes is claimed, only 0 bytes are left");
}

TEST(AimedPickle, TooManyValues) {
  // A megabyte of empty lists stays inside the memory limit; ten are over the limit of values.
  expect_bad_pickle("\x80\x02(" + repeated("]", 1'000'000) + ".", "a MARK is open at the end");
}

// os.system and friends are data: the file loads as far as there are weights in it, and nothing runs.
TEST(AimedPickle, CallsAreNeverMade) {
  const std::string marker = scratch_path("ran");
  const auto call = [&](const std::string& module, const std::string& name, const std::string& argument) {
    return PickleBytes()
        .raw("}")
        .text("weight")
        .tensor("FloatStorage", "0", 6, 0, {2, 3}, {3, 1})
        .raw("s")
        .text("payload")
        .global(module, name)
        .mark()
        .text(argument)
        .tuple()
        .reduce()
        .raw("s")
        .stop();
  };
  for (const auto& [module, name] : std::vector<std::pair<std::string, std::string>>{{"os", "system"},
                                                                                     {"posix", "system"},
                                                                                     {"builtins", "eval"},
                                                                                     {"__builtin__", "exec"},
                                                                                     {"subprocess", "Popen"}}) {
    EXPECT_NO_THROW(load(torch_zip(call(module, name, "touch " + marker), {{"0", kSix}})));
  }
  EXPECT_NE(access(marker.c_str(), F_OK), 0);
}

}  // namespace
}  // namespace ptrun::test
