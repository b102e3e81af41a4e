// Tensors and storages that do not fit their bytes, in torch.save zips, legacy streams and safetensors.
#include "hostile/refuse.h"
#include "support/pt_bytes.h"

namespace ptrun::test {
namespace {

using namespace std::string_literals;

const std::string kSix(24, '\0');
constexpr auto kBad = ErrorCode::bad_model;

std::string weight(const PickleBytes& tensor) {
  return PickleBytes().raw("}").text("weight").raw(tensor.bytes().substr(2)).raw("s").stop();
}
std::string zip_of(const PickleBytes& tensor, const std::string& storage = kSix) {
  return torch_zip(weight(tensor), {{"0", storage}});
}
PickleBytes floats(std::int64_t count, std::int64_t offset, const std::vector<std::int64_t>& size,
                   const std::vector<std::int64_t>& stride) {
  return PickleBytes().tensor("FloatStorage", "0", count, offset, size, stride);
}

TEST(AimedTensor, StorageCounts) {
  // 24 bytes declared as 1024 floats gave LibTorch foreign memory, declared as 10^8 a SIGSEGV.
  expect_refused(zip_of(floats(1024, 0, {1024}, {1})), kBad, "record data/0 holds 24 bytes, expected 4096");
  expect_refused(zip_of(floats(100'000'000, 0, {2}, {1})), kBad, "record data/0 holds 24 bytes, expected 400000000");
  expect_refused(zip_of(floats(5, 0, {5}, {1})), kBad, "record data/0 holds 24 bytes, expected 20");
  expect_refused(zip_of(floats(-6, 0, {2}, {1})), kBad, "a storage's element count of -6 is negative");
  expect_refused(zip_of(floats(INT64_MAX, 0, {2}, {1})), kBad, "claims more bytes than 64 bits count");
  expect_refused(zip_of(floats(1LL << 60U, 0, {2}, {1})), ErrorCode::limit_exceeded, "take more than the limit");
  // The same record as Float and as Double.
  const std::string both = PickleBytes()
                               .raw("}")
                               .text("a")
                               .tensor("FloatStorage", "0", 6, 0, {6}, {1})
                               .raw("s")
                               .text("b")
                               .tensor("DoubleStorage", "0", 6, 0, {6}, {1})
                               .raw("s")
                               .stop();
  expect_refused(torch_zip(both, {{"0", kSix}}), kBad, "storage 0 has 24 bytes in one place and 48 in another");
}

TEST(AimedTensor, StorageIdentity) {
  const auto with_key = [](const std::string& key) {
    return torch_zip(weight(PickleBytes().tensor("FloatStorage", key, 6, 0, {6}, {1})), {{"0", kSix}});
  };
  expect_refused(with_key("../../x"), kBad, "storage key '../../x' is not made of digits");
  expect_refused(with_key(""), kBad, "storage key '' is not made of digits");
  expect_refused(with_key("0/../0"), kBad, "is not made of digits");
  expect_refused(with_key(std::string(21, '0')), kBad, "is not made of digits");
  expect_refused(with_key("7"), kBad, "record 'data/7' is missing");
  const auto with_class = [](const std::string& module, const std::string& name) {
    const PickleBytes storage = PickleBytes()
                                    .global("torch._utils", "_rebuild_tensor_v2")
                                    .mark()
                                    .mark()
                                    .text("storage")
                                    .global(module, name)
                                    .text("0")
                                    .text("cpu")
                                    .integer(6)
                                    .tuple()
                                    .raw("Q")
                                    .integer(0)
                                    .integers({6})
                                    .integers({1})
                                    .boolean(false)
                                    .ordered_dict()
                                    .tuple()
                                    .reduce();
    return torch_zip(weight(storage), {{"0", kSix}});
  };
  EXPECT_NO_THROW(load(with_class("torch", "FloatStorage")));
  expect_refused(with_class("torch", "SecretStorage"), kBad, "storage class 'torch.SecretStorage' is not known");
  expect_refused(with_class("os", "FloatStorage"), kBad, "storage class 'os.FloatStorage' is not known");
  expect_refused(torch_zip(PickleBytes().integer(1).raw("Q").stop(), {}), kBad, "a persistent id is not a tuple");
  expect_refused(torch_zip(PickleBytes().raw("(").text("file").text("/etc").raw("tQ").stop(), {}), kBad,
                 "a persistent id 'file' with 2 parts");
  expect_refused(torch_zip(PickleBytes().raw("(").text("storage").raw("tQ").stop(), {}), kBad,
                 "a persistent id 'storage' with 1 parts");
}

TEST(AimedTensor, ViewsOutsideTheirStorage) {
  const std::string outside = "reach outside its storage 0 of 24 bytes";
  expect_refused(zip_of(floats(6, 0, {7}, {1})), kBad, outside);
  expect_refused(zip_of(floats(6, 1, {6}, {1})), kBad, outside);
  expect_refused(zip_of(floats(6, 0, {2, 3}, {4, 1})), kBad, outside);
  expect_refused(zip_of(floats(6, 6, {}, {})), kBad, outside);
  expect_refused(zip_of(floats(6, INT64_MAX, {1}, {1})), kBad, outside);
  expect_refused(zip_of(floats(6, 0, {INT64_MAX, 2}, {0, 0})), kBad, outside);
  expect_refused(zip_of(floats(6, 0, {2}, {INT64_MAX})), kBad, outside);
  expect_refused(zip_of(floats(6, 0, {3, 3}, {INT64_MAX / 2, INT64_MAX / 2})), kBad, outside);
  expect_refused(zip_of(floats(6, -1, {1}, {1})), kBad, "a tensor's offset of -1 is negative");
  expect_refused(zip_of(floats(6, 0, {-1}, {1})), kBad, "size of -1 is negative");
  expect_refused(zip_of(floats(6, 0, {2}, {-1})), kBad, "stride of -1 is negative");
  expect_refused(zip_of(floats(6, 0, {2, 3}, {1})), kBad, "a tensor has 2 sizes and 1 strides");
  expect_refused(zip_of(floats(6, 0, std::vector<std::int64_t>(65, 1), std::vector<std::int64_t>(65, 1))),
                 ErrorCode::limit_exceeded, "a tensor of 65 dimensions, the limit is 64");
  // 24 bytes that expand to 4 TB.
  expect_refused(zip_of(floats(6, 0, {1LL << 40U}, {0})), ErrorCode::limit_exceeded,
                 "repeat elements of a smaller storage expand to more than the limit");
  EXPECT_NO_THROW(load(zip_of(floats(6, 0, {0, 1000}, {1, 1}))));
  EXPECT_NO_THROW(load(zip_of(floats(6, 0, {1000}, {0}))));
}

TEST(AimedTensor, RebuildArguments) {
  const auto call = [](const std::string& name, const std::string& arguments) {
    return torch_zip(PickleBytes().global("torch._utils", name).raw(arguments).reduce().stop(), {{"0", kSix}});
  };
  expect_refused(call("_rebuild_tensor_v2", ")"), kBad, "_rebuild_tensor_v2 has 0 arguments, expected 6 to 7");
  expect_refused(call("_rebuild_tensor_v2", "(NNNNNNt"), kBad,
                 "a tensor is built from something that is not a storage");
  expect_refused(call("_rebuild_sparse_tensor", "(NNt"), kBad, "a sparse tensor lacks its layout");
  expect_refused(call("_rebuild_nested_tensor", "(NNNNt"), kBad, "a nested tensor's buffer is not a tensor");
  expect_refused(call("_rebuild_meta_tensor_no_storage", "(NNNNt"), kBad, "dtype '' is not known");
  expect_refused(call("_rebuild_tensor_v9", "(Nt"), ErrorCode::unsupported,
                 "'torch._utils._rebuild_tensor_v9', which this version does not know");
  // Out-of-bounds read of PyTorch 2.9.1: too few arguments of the type wrapper.
  expect_refused(torch_zip(PickleBytes().global("torch._tensor", "_rebuild_from_type_v2").raw(")R").stop(), {}), kBad,
                 "does not hold a function and its arguments");
  // The wrapper inside itself, 40 deep.
  PickleBytes wrapped;
  for (int i = 0; i < 40; ++i) wrapped.global("torch._tensor", "_rebuild_from_type_v2").raw(i == 0 ? "(" : "N(");
  wrapped.raw("NN)");
  for (int i = 0; i < 40; ++i) wrapped.raw("Nt");
  expect_refused(torch_zip(wrapped.raw("R").stop(), {}), kBad, "does not hold a function and its arguments");
  const auto v3 = [](const std::string& dtype) {
    return torch_zip(weight(PickleBytes()
                                .global("torch._utils", "_rebuild_tensor_v3")
                                .mark()
                                .mark()
                                .text("storage")
                                .global("torch.storage", "UntypedStorage")
                                .text("0")
                                .text("cpu")
                                .integer(24)
                                .tuple()
                                .raw("Q")
                                .integer(0)
                                .integers({6})
                                .integers({1})
                                .boolean(false)
                                .ordered_dict()
                                .global("torch", dtype)
                                .tuple()
                                .reduce()),
                     {{"0", kSix}});
  };
  EXPECT_NO_THROW(load(v3("uint16")));
  EXPECT_NO_THROW(load(v3("uint32")));
  expect_refused(v3("uint64"), kBad, "reach outside its storage");
  expect_refused(v3("float7"), kBad, "dtype 'torch.float7' is not known");
}

TEST(AimedTensor, LegacyStorages) {
  const auto legacy = [](const PickleBytes& tensor, const std::vector<LegacyStorage>& storages) {
    return legacy_bytes(weight(tensor), storages);
  };
  const PickleBytes good = floats(6, 0, {6}, {1});
  EXPECT_NO_THROW(load(legacy(good, {{"0", 6, kSix}})));
  expect_refused(legacy(good, {{"0", 5, kSix}}), kBad, "has 5 elements in storage 0, expected 6");
  expect_refused(legacy(good, {{"0", -1, kSix}}), kBad, "has 18446744073709551615 elements in storage 0");
  expect_refused(legacy(good, {{"0", 6, kSix.substr(1)}}), kBad, "has 23 bytes left for storage 0, expected 24");
  expect_refused(legacy(good, {{"0", 6, kSix + "x"}}), kBad, "has 1 bytes behind its last storage");
  expect_refused(legacy(good, {}), kBad, "does not list storage 0, which a tensor uses");
  expect_refused(legacy(good, {{"0", 6, kSix}, {"0", 6, kSix}}), kBad, "lists storage 0 twice");
  expect_refused(legacy(good, {{"0", 6, kSix}, {"1", 6, kSix}}), kBad, "lists a storage '1' that no tensor uses");
  const auto with_view = [&](std::int64_t offset, std::int64_t count) {
    const PickleBytes tensor = PickleBytes()
                                   .global("torch._utils", "_rebuild_tensor_v2")
                                   .mark()
                                   .mark()
                                   .text("storage")
                                   .global("torch", "FloatStorage")
                                   .text("0")
                                   .text("cpu")
                                   .integer(6)
                                   .mark()
                                   .text("9")
                                   .integer(offset)
                                   .integer(count)
                                   .tuple()
                                   .tuple()
                                   .raw("Q")
                                   .integer(0)
                                   .integers({2})
                                   .integers({1})
                                   .boolean(false)
                                   .ordered_dict()
                                   .tuple()
                                   .reduce();
    return legacy(tensor, {{"0", 6, kSix}});
  };
  EXPECT_NO_THROW(load(with_view(4, 2)));
  expect_refused(with_view(5, 2), kBad, "a storage view reaches outside its storage");
  expect_refused(with_view(-1, 2), kBad, "a view's offset of -1 is negative");
  expect_refused(with_view(INT64_MAX, 2), kBad, "a storage view reaches outside its storage");
  expect_refused(with_view(4, 1), kBad, "reach outside its storage");
  std::string protocol = good_legacy();
  protocol[18] = 9;
  expect_refused(protocol, kBad, "has another legacy protocol than 1001");
}

TEST(AimedTensor, SafetensorsHeaders) {
  const auto tensors = [](const std::string& header, const std::string& buffer = kSix) {
    return safetensors_bytes(header, buffer);
  };
  const auto entry = [](const std::string& dtype, const std::string& shape, const std::string& offsets) {
    return R"({"w":{"dtype":")" + dtype + R"(","shape":[)" + shape + R"(],"data_offsets":[)" + offsets + "]}}";
  };
  EXPECT_NO_THROW(load(tensors(entry("F32", "2,3", "0,24"))));
  EXPECT_NO_THROW(load(tensors(entry("F32", "2,3", "0,24") + "    ")));
  expect_refused(tensors(entry("F32", "2,3", "0,20")), kBad, "its shape and dtype need another number");
  expect_refused(tensors(entry("F32", "2,3", "0,24"), kSix + "x"), kBad, "1 bytes follow the last tensor");
  expect_refused(tensors(entry("F32", "2,3", "0,24"), kSix.substr(4)), kBad, "ends at byte 24 of a buffer of 20");
  expect_refused(tensors(entry("F32", "1,3", "4,16"), kSix.substr(8)), kBad, "a hole of 4 bytes stands before");
  expect_refused(tensors(entry("F32", "2,3", "24,0")), kBad, "ends before it begins");
  expect_refused(tensors(entry("F32", "4294967296,4294967296", "0,24")), kBad, "need another number");
  expect_refused(tensors(entry("F32", "18446744073709551615", "0,24")), kBad, "need another number");
  expect_refused(tensors(entry("F32", "0,18446744073709551615", "0,0"), ""), kBad, "need another number");
  expect_refused(tensors(entry("F32", "-2,3", "0,24")), kBad, "holds a negative number at 'shape'");
  expect_refused(tensors(entry("F32", "2.5,3", "0,24")), kBad, "holds a fraction");
  expect_refused(tensors(entry("F32", "[2],3", "0,24")), kBad, "holds a list");
  expect_refused(tensors(entry("Q7", "2,3", "0,24")), ErrorCode::unsupported, "has dtype 'Q7', which is not known");
  expect_refused(tensors(entry("F32", "2,3", "0,24,24")), kBad, "lacks its dtype, shape or two data_offsets");
  expect_refused(tensors(R"({"w":{"dtype":"F32","shape":[6]}})"), kBad, "lacks its dtype, shape or two data_offsets");
  expect_refused(tensors(R"({"w":{"dtype":"F32","shape":[6],"data_offsets":[0,24],"more":1}})"), kBad,
                 "has an unknown field 'more'");
  expect_refused(tensors(R"({"w":{"dtype":"F32","dtype":"F64","shape":[6],"data_offsets":[0,24]}})"), kBad,
                 "header key 'dtype' is there twice");
  expect_refused(tensors(R"({"w":{"dtype":"F32","shape":[6],"data_offsets":[0,24]},)"
                         R"("w":{"dtype":"F32","shape":[6],"data_offsets":[0,24]}})"),
                 kBad, "header key 'w' is there twice");
  expect_refused(tensors(R"({"a":{"dtype":"F32","shape":[6],"data_offsets":[0,24]},)"
                         R"("b":{"dtype":"F32","shape":[3],"data_offsets":[12,24]}})"),
                 kBad, "overlaps another one");
  expect_refused(tensors(R"({"w":3})"), kBad, "holds a number at 'w'");
  expect_refused(tensors(R"({"w":[]})"), kBad, "holds a list at 'w'");
  expect_refused(tensors(R"({"w":{"dtype":{},"shape":[6],"data_offsets":[0,24]}})"), kBad,
                 "holds an object at 'dtype'");
  expect_refused(tensors(R"({"__metadata__":{"format":1}})"), kBad, "holds a number at 'format'");
  expect_refused(tensors(R"({"w":)"), kBad, "the header is not JSON at its byte");
  expect_refused(tensors("{\"\xFF\":1}"), kBad, "the header is not JSON at its byte");
  expect_refused(tensors("{" + std::string(1'000'000, '[') + "}"), kBad, "the header is not JSON at its byte");
  expect_refused(tensors(R"({"w":)" + std::string(1'000'000, '[') + "}"), kBad, "holds a list at 'w'");
  std::string ones = "1";
  for (int i = 0; i < 64; ++i) ones += ",1";
  expect_refused(tensors(entry("F32", ones, "0,24")), ErrorCode::limit_exceeded,
                 "more dimensions than the limit of 64");
  const std::string good = good_safetensors();
  expect_refused(le(1000, 8) + good.substr(8), kBad, "the header claims 1000 bytes, the file has");
  expect_refused(le(200'000'000, 8) + good.substr(8), ErrorCode::limit_exceeded,
                 "the header claims 200000000 bytes, the limit is 100000000");
  expect_refused(tensors("{}", ""), kBad, "without named weights");
}

}  // namespace
}  // namespace ptrun::test
