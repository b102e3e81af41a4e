#include "operators/int8.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <torch/library.h>

#include <algorithm>
#include <cstring>
#include <mutex>
#include <vector>

#include "operators/parallel.h"

namespace ptrun {
namespace {

// Elements that are worth a thread.
constexpr std::int64_t kGrain = 1 << 15;

bool has_avx512() {
#ifdef __x86_64__
  static const bool has = __builtin_cpu_supports("avx512bw") != 0 && __builtin_cpu_supports("avx512vl") != 0 &&
                          __builtin_cpu_supports("avx512dq") != 0;
  return has;
#else
  return false;
#endif
}

#ifdef __x86_64__
template <auto Loop, typename... Arguments>
__attribute__((target("avx512f,avx512bw,avx512vl,avx512dq,prefer-vector-width=512"))) void with_avx512(
    Arguments... arguments) {
  Loop(arguments...);
}
#endif

// A loop compiled twice, the compiler vectorises it for what the processor has.
template <auto Loop, typename... Arguments>
void widest(Arguments... arguments) {
#ifdef __x86_64__
  if (has_avx512()) {
    with_avx512<Loop>(arguments...);
    return;
  }
#endif
  Loop(arguments...);
}

#define PTRUN_LOOP [[gnu::always_inline]] inline

// Rounds -2^22..2^22 to the nearest, halves to even: the sum has no binary digits after the point.
PTRUN_LOOP std::int32_t rounded(float value) {
  constexpr float kShift = 12582912.0F;
  const float shifted = value + kShift;
  std::int32_t bits = 0;
  std::memcpy(&bits, &shifted, sizeof(bits));
  return bits - 0x4B400000;
}

// `value` counts steps of the scale from the number 0.
PTRUN_LOOP std::uint8_t as_byte(float value, float zero) {
  const float inside = std::min(std::max(value, -zero), 255.0F - zero);
  return static_cast<std::uint8_t>(rounded(inside) + static_cast<std::int32_t>(zero));
}

PTRUN_LOOP float load(const float* from) { return *from; }
PTRUN_LOOP float load(const c10::BFloat16* from) {
  const std::uint32_t bits = static_cast<std::uint32_t>(from->x) << 16U;
  float value = 0;
  std::memcpy(&value, &bits, sizeof(value));
  return value;
}
PTRUN_LOOP void store(float* to, float value) { *to = value; }
PTRUN_LOOP void store(c10::BFloat16* to, float value) {
  std::uint32_t bits = 0;
  std::memcpy(&bits, &value, sizeof(bits));
  to->x = static_cast<std::uint16_t>((bits + 0x7FFFU + ((bits >> 16U) & 1U)) >> 16U);
}

template <typename Number>
PTRUN_LOOP void quantize_loop(const Number* from, std::uint8_t* to, std::int64_t count, float inverse, float zero) {
  for (std::int64_t i = 0; i < count; ++i) to[i] = as_byte(load(from + i) * inverse, zero);
}

template <typename Number>
PTRUN_LOOP void dequantize_loop(const std::uint8_t* from, Number* to, std::int64_t count, float scale, float zero) {
  for (std::int64_t i = 0; i < count; ++i) store(to + i, (static_cast<float>(from[i]) - zero) * scale);
}

PTRUN_LOOP void add_loop(const std::uint8_t* a, const std::uint8_t* b, std::uint8_t* to, std::int64_t count,
                         float a_factor, float b_factor, float offset, float zero) {
  for (std::int64_t i = 0; i < count; ++i) {
    to[i] = as_byte(static_cast<float>(a[i]) * a_factor + static_cast<float>(b[i]) * b_factor - offset, zero);
  }
}

// `factors` of one image's channels.
PTRUN_LOOP void scale_loop(const std::uint8_t* from, std::uint8_t* to, std::int64_t pixels, std::int64_t channels,
                           const float* factors, float zero, float out_zero) {
  for (std::int64_t p = 0; p < pixels; ++p) {
    for (std::int64_t c = 0; c < channels; ++c) {
      to[p * channels + c] = as_byte((static_cast<float>(from[p * channels + c]) - zero) * factors[c], out_zero);
    }
  }
}

PTRUN_LOOP void sum_loop(const std::uint8_t* from, std::int32_t* sums, std::int64_t pixels, std::int64_t channels) {
  for (std::int64_t c = 0; c < channels; ++c) sums[c] = 0;
  for (std::int64_t p = 0; p < pixels; ++p) {
    for (std::int64_t c = 0; c < channels; ++c) sums[c] += from[p * channels + c];
  }
}

PTRUN_LOOP void larger_loop(const std::uint8_t* from, std::uint8_t* to, std::int64_t channels) {
  for (std::int64_t c = 0; c < channels; ++c) to[c] = std::max(to[c], from[c]);
}

void check_quantised(const char* name, double scale, std::int64_t zero_point) {
  TORCH_CHECK(scale > 0 && std::isfinite(scale) && zero_point >= 0 && zero_point <= 255, "ptrun::", name, ": scale ",
              scale, " and zero point ", zero_point, ", expected a positive scale and 0 to 255");
}

// The bytes in the order that the loops read.
at::Tensor bytes(const char* name, const at::Tensor& x) {
  TORCH_CHECK(x.scalar_type() == at::kByte && x.device().is_cpu(), "ptrun::", name, ": ", x.scalar_type(),
              " was given, expected bytes on the CPU");
  return x.dim() == 4 ? x.contiguous(at::MemoryFormat::ChannelsLast) : x.contiguous();
}

at::Tensor images(const char* name, const at::Tensor& x) {
  TORCH_CHECK(x.dim() == 4, "ptrun::", name, ": a tensor of shape ", x.sizes(), ", expected [N, C, H, W]");
  return bytes(name, x);
}

void check_float(const char* name, c10::ScalarType type) {
  TORCH_CHECK(type == at::kFloat || type == at::kBFloat16, "ptrun::", name, ": ", type,
              ", expected float32 or bfloat16");
}

at::Tensor quantize_u8(const at::Tensor& x, double scale, std::int64_t zero_point) {
  check_quantised("quantize_u8", scale, zero_point);
  check_float("quantize_u8", x.scalar_type());
  const at::Tensor dense = x.dim() == 4 ? x.contiguous(at::MemoryFormat::ChannelsLast) : x.contiguous();
  at::Tensor result = at::empty_like(dense, at::kByte);
  auto* to = result.mutable_data_ptr<std::uint8_t>();
  const auto inverse = static_cast<float>(1 / scale);
  const auto zero = static_cast<float>(zero_point);
  parallel_for(0, dense.numel(), kGrain, [&](std::int64_t begin, std::int64_t end) {
    if (dense.scalar_type() == at::kFloat) {
      widest<quantize_loop<float>>(dense.const_data_ptr<float>() + begin, to + begin, end - begin, inverse, zero);
    } else {
      widest<quantize_loop<c10::BFloat16>>(dense.const_data_ptr<c10::BFloat16>() + begin, to + begin, end - begin,
                                           inverse, zero);
    }
  });
  return result;
}

at::Tensor dequantize_u8(const at::Tensor& x, double scale, std::int64_t zero_point, c10::ScalarType dtype) {
  check_quantised("dequantize_u8", scale, zero_point);
  check_float("dequantize_u8", dtype);
  const at::Tensor dense = bytes("dequantize_u8", x);
  at::Tensor result = at::empty_like(dense, dtype);
  const auto* from = dense.const_data_ptr<std::uint8_t>();
  const auto step = static_cast<float>(scale);
  const auto zero = static_cast<float>(zero_point);
  parallel_for(0, dense.numel(), kGrain, [&](std::int64_t begin, std::int64_t end) {
    if (dtype == at::kFloat) {
      widest<dequantize_loop<float>>(from + begin, result.mutable_data_ptr<float>() + begin, end - begin, step, zero);
    } else {
      widest<dequantize_loop<c10::BFloat16>>(from + begin, result.mutable_data_ptr<c10::BFloat16>() + begin,
                                             end - begin, step, zero);
    }
  });
  return result;
}

at::Tensor max_pool2d_u8(const at::Tensor& x, at::IntArrayRef kernel, at::IntArrayRef stride, at::IntArrayRef padding,
                         at::IntArrayRef size) {
  const at::Tensor dense = images("max_pool2d_u8", x);
  TORCH_CHECK(kernel.size() == 2 && stride.size() == 2 && padding.size() == 2 && size.size() == 2 && kernel[0] > 0 &&
                  kernel[1] > 0 && stride[0] > 0 && stride[1] > 0 && padding[0] >= 0 && padding[1] >= 0 &&
                  size[0] > 0 && size[1] > 0,
              "ptrun::max_pool2d_u8: kernel ", kernel, ", stride ", stride, ", padding ", padding, ", size ", size,
              ", expected two numbers each");
  const std::int64_t channels = dense.size(1);
  const std::int64_t height = dense.size(2);
  const std::int64_t width = dense.size(3);
  at::Tensor result =
      at::empty({dense.size(0), channels, size[0], size[1]}, dense.options(), at::MemoryFormat::ChannelsLast);
  const auto* from = dense.const_data_ptr<std::uint8_t>();
  auto* to = result.mutable_data_ptr<std::uint8_t>();
  parallel_for(0, dense.size(0) * size[0], 8, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t row = begin; row < end; ++row) {
      const std::int64_t image = row / size[0];
      const std::int64_t top = row % size[0] * stride[0] - padding[0];
      for (std::int64_t column = 0; column < size[1]; ++column) {
        const std::int64_t left = column * stride[1] - padding[1];
        std::uint8_t* place = to + (row * size[1] + column) * channels;
        std::fill_n(place, channels, std::uint8_t{0});  // the smallest byte stands for what lies outside
        for (std::int64_t y = std::max<std::int64_t>(top, 0); y < std::min(top + kernel[0], height); ++y) {
          for (std::int64_t p = std::max<std::int64_t>(left, 0); p < std::min(left + kernel[1], width); ++p) {
            widest<larger_loop>(from + ((image * height + y) * width + p) * channels, place, channels);
          }
        }
      }
    }
  });
  return result;
}

at::Tensor mean_u8(const at::Tensor& x, double scale, std::int64_t zero_point, c10::ScalarType dtype) {
  check_quantised("mean_u8", scale, zero_point);
  check_float("mean_u8", dtype);
  const at::Tensor dense = images("mean_u8", x);
  const std::int64_t channels = dense.size(1);
  const std::int64_t pixels = dense.size(2) * dense.size(3);
  TORCH_CHECK(pixels > 0 && pixels < (1 << 23), "ptrun::mean_u8: ", pixels, " pixels, expected 1 to 8388607");
  at::Tensor result = at::empty({dense.size(0), channels, 1, 1}, dense.options().dtype(at::kFloat));
  auto* to = result.mutable_data_ptr<float>();
  const auto* from = dense.const_data_ptr<std::uint8_t>();
  const double factor = scale / static_cast<double>(pixels);
  parallel_for(0, dense.size(0), 1, [&](std::int64_t begin, std::int64_t end) {
    std::vector<std::int32_t> sums(static_cast<std::size_t>(channels));
    for (std::int64_t image = begin; image < end; ++image) {
      widest<sum_loop>(from + image * pixels * channels, sums.data(), pixels, channels);
      for (std::int64_t c = 0; c < channels; ++c) {
        const std::int64_t sum = sums[static_cast<std::size_t>(c)] - zero_point * pixels;
        to[image * channels + c] = static_cast<float>(factor * static_cast<double>(sum));
      }
    }
  });
  return result.to(dtype);
}

at::Tensor scale_u8(const at::Tensor& x, double scale, std::int64_t zero_point, const at::Tensor& gate,
                    double out_scale, std::int64_t out_zero_point) {
  check_quantised("scale_u8", scale, zero_point);
  check_quantised("scale_u8", out_scale, out_zero_point);
  const at::Tensor dense = images("scale_u8", x);
  const std::int64_t channels = dense.size(1);
  TORCH_CHECK(gate.is_floating_point() && gate.numel() == dense.size(0) * channels && gate.dim() == 4 &&
                  gate.size(0) == dense.size(0) && gate.size(1) == channels,
              "ptrun::scale_u8: ", gate.scalar_type(), " of shape ", gate.sizes(), ", expected numbers of shape [",
              dense.size(0), ", ", channels, ", 1, 1]");
  const at::Tensor factors = gate.to(at::kFloat).mul(scale / out_scale).contiguous();
  at::Tensor result = at::empty_like(dense);
  const std::int64_t pixels = dense.size(2) * dense.size(3);
  parallel_for(0, dense.size(0), 1, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t image = begin; image < end; ++image) {
      widest<scale_loop>(dense.const_data_ptr<std::uint8_t>() + image * pixels * channels,
                         result.mutable_data_ptr<std::uint8_t>() + image * pixels * channels, pixels, channels,
                         factors.const_data_ptr<float>() + image * channels, static_cast<float>(zero_point),
                         static_cast<float>(out_zero_point));
    }
  });
  return result;
}

at::Tensor add_u8(const at::Tensor& a, double a_scale, std::int64_t a_zero_point, const at::Tensor& b, double b_scale,
                  std::int64_t b_zero_point, double out_scale, std::int64_t out_zero_point) {
  check_quantised("add_u8", a_scale, a_zero_point);
  check_quantised("add_u8", b_scale, b_zero_point);
  check_quantised("add_u8", out_scale, out_zero_point);
  TORCH_CHECK(a.sizes() == b.sizes(), "ptrun::add_u8: ", a.sizes(), " and ", b.sizes(), ", expected one shape");
  const at::Tensor first = bytes("add_u8", a);
  const at::Tensor second = bytes("add_u8", b);
  at::Tensor result = at::empty_like(first);
  const double a_factor = a_scale / out_scale;
  const double b_factor = b_scale / out_scale;
  const double offset = static_cast<double>(a_zero_point) * a_factor + static_cast<double>(b_zero_point) * b_factor;
  parallel_for(0, first.numel(), kGrain, [&](std::int64_t begin, std::int64_t end) {
    widest<add_loop>(first.const_data_ptr<std::uint8_t>() + begin, second.const_data_ptr<std::uint8_t>() + begin,
                     result.mutable_data_ptr<std::uint8_t>() + begin, end - begin, static_cast<float>(a_factor),
                     static_cast<float>(b_factor), static_cast<float>(offset), static_cast<float>(out_zero_point));
  });
  return result;
}

}  // namespace

void register_int8_operators() {
  static std::once_flag once;
  std::call_once(once, [] {
    // Never destroyed: a library that goes takes its operators with it, while plans may still run at exit.
    static auto* const library =
        new torch::Library(torch::Library::FRAGMENT, "ptrun", std::nullopt, __FILE__, __LINE__);
    const auto add = [](const char* schema, const char* name, torch::CppFunction&& kernel) {
      library->def(schema);
      library->impl(name, std::move(kernel));
    };
    using torch::dispatch;
    constexpr auto kCpu = c10::DispatchKey::CPU;
    add("quantize_u8(Tensor x, float scale, int zero_point) -> Tensor", "quantize_u8",
        dispatch(kCpu, TORCH_FN(quantize_u8)));
    add("dequantize_u8(Tensor x, float scale, int zero_point, ScalarType dtype) -> Tensor", "dequantize_u8",
        dispatch(kCpu, TORCH_FN(dequantize_u8)));
    add("max_pool2d_u8(Tensor x, int[2] kernel, int[2] stride, int[2] padding, int[2] size) -> Tensor", "max_pool2d_u8",
        dispatch(kCpu, TORCH_FN(max_pool2d_u8)));
    add("mean_u8(Tensor x, float scale, int zero_point, ScalarType dtype) -> Tensor", "mean_u8",
        dispatch(kCpu, TORCH_FN(mean_u8)));
    add("scale_u8(Tensor x, float scale, int zero_point, Tensor gate, float out_scale, int out_zero_point) -> Tensor",
        "scale_u8", dispatch(kCpu, TORCH_FN(scale_u8)));
    add("add_u8(Tensor a, float a_scale, int a_zero_point, Tensor b, float b_scale, int b_zero_point, float out_scale, "
        "int out_zero_point) -> Tensor",
        "add_u8", dispatch(kCpu, TORCH_FN(add_u8)));
  });
}

}  // namespace ptrun
