#include "loader/torchscript/allow.h"

#include <algorithm>
#include <array>
#include <iterator>
#include <unordered_set>

namespace ptrun::torchscript {
namespace {

// One namespace; names separated by blanks, so that the table stays readable.
struct Group {
  std::string_view name_space;
  std::string_view names;
};

// aten: pure functions of tensors, numbers, lists and dicts, and their in-place forms. Left out on purpose: whatever
// reinterprets or resizes memory, backward kernels, sparse and nested tensors, foreign devices, growing strings.
constexpr std::array kAllowed = {
    // Convolution, linear algebra, attention, recurrence.
    Group{"aten",
          "_convolution _convolution_mode convolution conv1d conv2d conv3d conv_transpose1d conv_transpose2d "
          "conv_transpose3d linear bilinear addmm addmv addbmm baddbmm bmm mm mv matmul dot inner outer ger einsum "
          "tensordot kron cross linalg_cross linalg_norm linalg_vector_norm linalg_matrix_norm linalg_inv "
          "linalg_inv_ex linalg_det linalg_solve linalg_svd linalg_qr linalg_cholesky linalg_eigh linalg_matmul "
          "linalg_multi_dot linalg_pinv inverse det norm dist cdist chain_matmul cosine_similarity pairwise_distance "
          "scaled_dot_product_attention _native_multi_head_attention _transformer_encoder_layer_fwd embedding lstm gru "
          "rnn_tanh rnn_relu lstm_cell gru_cell adjoint mT mH numpy_T matrix_power vdot linalg_diagonal trace"},
    // Normalisation, activation, dropout, loss left over from training branches.
    Group{"aten",
          "batch_norm native_batch_norm _native_batch_norm_legit _native_batch_norm_legit_no_training instance_norm "
          "layer_norm native_layer_norm group_norm native_group_norm rms_norm relu relu6 leaky_relu prelu rrelu elu "
          "celu selu gelu silu mish glu hardtanh hardsigmoid hardswish hardshrink softshrink sigmoid "
          "log_sigmoid softplus softmax _softmax log_softmax _log_softmax threshold dropout "
          "alpha_dropout feature_dropout feature_alpha_dropout native_dropout "
          "binary_cross_entropy binary_cross_entropy_with_logits cross_entropy_loss nll_loss nll_loss2d nll_loss_nd "
          "mse_loss l1_loss smooth_l1_loss huber_loss kl_div _weight_norm"},
    // Pooling, padding, resampling, pixel shuffles.
    Group{"aten",
          "max_pool1d max_pool2d max_pool3d max_pool2d_with_indices max_pool3d_with_indices max_pool1d_with_indices "
          "avg_pool1d avg_pool2d avg_pool3d adaptive_avg_pool1d adaptive_avg_pool2d adaptive_avg_pool3d "
          "_adaptive_avg_pool2d _adaptive_avg_pool3d adaptive_max_pool1d adaptive_max_pool2d adaptive_max_pool3d pad "
          "constant_pad_nd reflection_pad1d reflection_pad2d reflection_pad3d replication_pad1d replication_pad2d "
          "replication_pad3d upsample_nearest1d upsample_nearest2d upsample_nearest3d upsample_linear1d "
          "upsample_bilinear2d upsample_bicubic2d upsample_trilinear3d _upsample_nearest_exact1d "
          "_upsample_nearest_exact2d _upsample_nearest_exact3d _upsample_bilinear2d_aa _upsample_bicubic2d_aa "
          "_upsample_lanczos2d_aa grid_sampler grid_sampler_2d grid_sampler_3d affine_grid_generator pixel_shuffle "
          "pixel_unshuffle channel_shuffle native_channel_shuffle im2col col2im unfold"},
    // Element by element.
    Group{
        "aten",
        "abs absolute neg negative positive sign sgn signbit add sub subtract rsub mul multiply div divide "
        "true_divide floor_divide floordiv remainder fmod mathremainder divmod pow float_power square sqrt rsqrt exp "
        "exp2 expm1 log log2 log10 log1p sin cos tan asin acos atan atan2 arctan arctan2 sinh cosh tanh asinh acosh "
        "atanh sinc erf erfc erfinv lgamma digamma reciprocal ceil floor round trunc fix frac clamp clamp_min "
        "clamp_max clip maximum minimum fmax fmin lerp addcmul addcdiv hypot logaddexp logit nan_to_num deg2rad "
        "rad2deg copysign heaviside xlogy gcd lcm ldexp eq ne lt le gt ge equal not_equal less less_equal greater "
        "greater_equal isclose allclose isfinite isinf isnan isneginf isposinf isin logical_and logical_or logical_not "
        "logical_xor bitwise_and bitwise_or bitwise_not bitwise_xor bitwise_left_shift bitwise_right_shift "
        "__and__ __or__ __xor__ __lshift__ __rshift__ __iand__ __ior__ __ixor__ where masked_fill real imag conj angle "
        "complex polar view_as_real view_as_complex is_complex is_floating_point is_nonzero is_same_size "
        "fake_quantize_per_tensor_affine fake_quantize_per_channel_affine special_expit special_logit special_erf"},
    // Reduction, sorting, counting.
    Group{
        "aten",
        "sum mean nansum nanmean prod max min amax amin aminmax argmax argmin any all std std_mean var var_mean median "
        "nanmedian mode cumsum cumprod cummax cummin logsumexp logcumsumexp sort argsort msort topk kthvalue "
        "_unique _unique2 unique_dim unique_consecutive bincount histc count_nonzero quantile searchsorted bucketize "
        "diff"},
    // Making tensors.
    Group{
        "aten",
        "zeros ones full empty zeros_like ones_like full_like empty_like new_zeros new_ones new_full new_empty arange "
        "range linspace logspace eye rand randn randint rand_like randn_like randint_like randperm normal bernoulli "
        "uniform multinomial tensor as_tensor scalar_tensor tril_indices triu_indices hann_window hamming_window "
        "one_hot random _shape_as_tensor"},
    // Moving, viewing, joining, choosing.
    Group{
        "aten",
        "view view_as reshape reshape_as flatten unflatten ravel squeeze unsqueeze permute transpose t swapaxes "
        "swapdims "
        "movedim moveaxis expand expand_as broadcast_to broadcast_tensors broadcast_shapes repeat repeat_interleave "
        "tile "
        "contiguous is_contiguous clone copy alias detach data lift_fresh cat concat concatenate stack hstack vstack "
        "dstack column_stack block_diag split split_with_sizes tensor_split chunk unsafe_chunk unsafe_split "
        "unsafe_split_with_sizes hsplit vsplit unbind select narrow slice diagonal diag diag_embed diagflat tril triu "
        "flip fliplr flipud roll rot90 index index_select index_put index_add index_fill index_copy gather scatter "
        "scatter_add scatter_reduce select_scatter slice_scatter take take_along_dim masked_select masked_scatter "
        "nonzero "
        "nonzero_numpy argwhere meshgrid cartesian_prod combinations atleast_1d atleast_2d atleast_3d pad_sequence "
        "fill "
        "zero to type_as cpu cuda _cast_Float _cast_Long _cast_Int _cast_Half "
        "result_type promote_types can_cast sum_to_size fft_fft fft_ifft fft_fft2 fft_ifft2 fft_rfft fft_irfft "
        "fft_rfft2 "
        "fft_irfft2 fft_fftn fft_ifftn fft_rfftn fft_irfftn fft_fftshift fft_ifftshift fft_fftfreq fft_rfftfreq stft "
        "istft resolve_conj resolve_neg"},
    // Questions about tensors.
    Group{"aten",
          "size sym_size dim numel sym_numel len stride sym_stride element_size item storage_offset is_grad_enabled "
          "is_autocast_enabled is_autocast_cpu_enabled device get_device requires_grad_ is_leaf is_signed is_inference "
          "set_grad_enabled has_torch_function is_scripting warn qscheme q_scale q_zero_point "
          "q_per_channel_scales q_per_channel_zero_points q_per_channel_axis int_repr dequantize quantize_per_tensor "
          "quantize_per_tensor_dynamic quantize_per_channel quantized_batch_norm choose_qparams_optimized "
          "_local_scalar_dense"},
    // Numbers, lists, dicts and short strings of the language itself.
    Group{"aten",
          "__getitem__ __contains__ __is__ __isnot__ __not__ __interpolate __upsample __upsample_bilinear "
          "__upsample_nearest __derive_index __range_length _set_item _size_if_not_equal Bool Int Float Complex "
          "IntImplicit FloatImplicit ScalarImplicit ComplexImplicit append extend insert pop popitem remove clear "
          "reverse "
          "sorted index count list dict keys values items get setdefault update Delete degrees radians fabs factorial "
          "floor format percentFormat str hash ord chr startswith endswith find rfind lower upper strip lstrip rstrip "
          "split "
          "isdigit isalpha"},
    // Words of source text that no graph has.
    Group{"aten", "__version__ list_with_default"},
    // The language: constants, control flow, containers, types.
    Group{
        "prim",
        "Constant Param Return If Loop ListConstruct ListUnpack TupleConstruct TupleUnpack TupleIndex TupleSlice "
        "DictConstruct GetAttr SetAttr CallMethod CallFunction Uninitialized unchecked_cast unchecked_unwrap_optional "
        "RaiseException Print isinstance tolist data device dtype layout type is_cpu is_cuda is_mps is_xpu "
        "is_quantized "
        "is_sparse is_sparse_csr is_mkldnn is_meta is_nested is_vulkan is_xla is_ipu is_maia is_mtia requires_grad "
        "grad "
        "itemsize nbytes name index min max abs NumToTensor rangelist ConstantChunk StringIndex EnumName EnumValue "
        "ModuleContainerIndex CreateObject Enter Exit"},
    Group{"torchvision", "nms roi_align roi_pool ps_roi_align ps_roi_pool deform_conv2d box_iou_rotated _cuda_version"},
    // Quantised models: checked kernels over packed weights.
    Group{
        "quantized",
        "conv1d conv1d_relu conv2d conv2d_relu conv3d conv3d_relu conv2d_prepack conv1d_prepack conv3d_prepack "
        "conv_prepack conv2d_unpack conv_unpack conv1d_unpack conv3d_unpack conv2d_add conv2d_add_relu "
        "conv_transpose1d "
        "conv_transpose2d conv_transpose1d_prepack conv_transpose2d_prepack conv_transpose2d_unpack linear linear_relu "
        "linear_prepack linear_unpack linear_prepack_fp16 linear_unpack_fp16 linear_dynamic_fp16 linear_dynamic "
        "linear_relu_dynamic linear_leaky_relu linear_tanh conv2d_dynamic "
        "conv1d_dynamic add add_relu add_scalar add_scalar_relu add_out mul mul_relu mul_scalar mul_scalar_relu "
        "mul_out "
        "cat cat_relu relu6 hardswish leaky_relu elu celu prelu sigmoid softmax batch_norm batch_norm_relu "
        "batch_norm2d "
        "batch_norm2d_relu instance_norm layer_norm group_norm max_pool2d matmul clamp threshold "
        "conv2d_stride conv2d_padding conv2d_dilation conv2d_groups conv2d_transpose conv2d_output_padding"},
};

struct Refusal {
  std::string_view name;
  std::string_view reason;
};

constexpr std::array kRefused = {
    Refusal{"aten::from_file", "opens files, and writes them when it is told to share"},
    Refusal{"aten::save", "writes files"},
    Refusal{"aten::as_strided", "reads memory outside of a tensor"},
    Refusal{"aten::as_strided_copy", "reads memory outside of a tensor"},
    Refusal{"aten::as_strided_scatter", "writes memory outside of a tensor"},
    Refusal{"aten::empty_strided", "makes tensors over memory that was never written"},
    Refusal{"aten::new_empty_strided", "makes tensors over memory that was never written"},
    Refusal{"aten::_reinterpret_tensor", "reads memory outside of a tensor"},
    Refusal{"inductor::_reinterpret_tensor", "reads memory outside of a tensor"},
    Refusal{"inductor::_alloc_from_pool", "reads memory outside of a tensor"},
    Refusal{"aten::set", "puts a tensor over other memory"},
    Refusal{"aten::set_data", "puts a tensor over other memory"},
    Refusal{"aten::resize", "shows memory that was never written"},
    Refusal{"aten::resize_as", "shows memory that was never written"},
    Refusal{"aten::_resize_output", "shows memory that was never written"},
    Refusal{"aten::_unsafe_index", "indexes without looking at bounds"},
    Refusal{"aten::_unsafe_index_put", "indexes without looking at bounds"},
    Refusal{"aten::_unsafe_masked_index", "indexes without looking at bounds"},
    Refusal{"aten::manual_seed", "changes the random numbers of the whole process"},
    Refusal{"aten::seed", "changes the random numbers of the whole process"},
    Refusal{"aten::ljust", "makes text of any length"},
    Refusal{"aten::rjust", "makes text of any length"},
    Refusal{"aten::center", "makes text of any length"},
    Refusal{"aten::zfill", "makes text of any length"},
    Refusal{"aten::expandtabs", "makes text of any length"},
    Refusal{"aten::replace", "makes text of any length"},
    Refusal{"aten::join", "makes text of any length"},
    Refusal{"aten::pin_memory", "asks the GPU driver for memory"},
    Refusal{"prim::PythonOp", "calls Python"},
    Refusal{"prim::IgnoredPythonOp", "calls Python"},
    Refusal{"prim::fork", "starts tasks on other threads"},
    Refusal{"prim::forkClosure", "starts tasks on other threads"},
    Refusal{"prim::rpc_async", "calls other machines"},
    Refusal{"prim::rpc_sync", "calls other machines"},
    Refusal{"prim::rpc_remote", "calls other machines"},
};

// Namespaces that LibTorch itself registers operators in (its CPU and CUDA builds of 2.15).
constexpr std::array<std::string_view, 17> kOwnSpaces = {
    "aten", "prim",   "prims",  "quantized", "_quantized", "inductor", "mkldnn",   "mkldnn_prepacked",
    "mkl",  "onednn", "sparse", "xnnpack",   "prepacked",  "c10d",     "rngprims", "profiler",
    "cuda"};

std::unordered_set<std::string_view> bare_names(std::string_view words) {
  std::unordered_set<std::string_view> set;
  while (!words.empty()) {
    const std::size_t blank = std::min(words.find(' '), words.size());
    if (blank != 0) set.insert(words.substr(0, blank));
    words.remove_prefix(std::min(blank + 1, words.size()));
  }
  return set;
}

struct Table {
  std::vector<std::pair<std::string_view, std::unordered_set<std::string_view>>> spaces;
};

const Table& table() {
  static const Table built = [] {
    Table made;
    for (const Group& group : kAllowed) {
      auto space = std::find_if(made.spaces.begin(), made.spaces.end(),
                                [&](const auto& entry) { return entry.first == group.name_space; });
      if (space == made.spaces.end()) space = made.spaces.insert(space, {group.name_space, {}});
      space->second.merge(bare_names(group.names));
    }
    return made;
  }();
  return built;
}

// "relu_" -> "relu", but "__and__" stays.
std::string_view out_of_place(std::string_view name) {
  if (name.size() > 1 && name.back() == '_' && name.substr(name.size() - 2) != "__") name.remove_suffix(1);
  return name;
}

bool contains(const std::unordered_set<std::string_view>& names, std::string_view bare) {
  return names.count(bare) != 0 || names.count(out_of_place(bare)) != 0;
}

}  // namespace

std::string_view refusal_reason(std::string_view name) {
  for (const Refusal& row : kRefused) {
    if (row.name == name || row.name == out_of_place(name)) return row.reason;
  }
  return {};
}

bool is_allowed(std::string_view name) {
  const std::size_t colons = name.find("::");
  if (colons == std::string_view::npos || !refusal_reason(name).empty()) return false;
  for (const auto& [space, names] : table().spaces) {
    if (space == name.substr(0, colons)) return contains(names, name.substr(colons + 2));
  }
  return false;
}

bool AllowRule::allows(std::string_view name) const {
  return trust || is_allowed(name) || std::find(more.begin(), more.end(), name) != more.end();
}

std::vector<std::string> missing_operators(const std::vector<std::string>& needed, const AllowRule& rule) {
  std::vector<std::string> missing;
  for (const std::string& name : needed) {
    const std::string_view space = std::string_view(name).substr(0, name.find("::"));
    const bool own = std::find(kOwnSpaces.begin(), kOwnSpaces.end(), space) != kOwnSpaces.end();
    if (own || is_allowed(name) || std::find(rule.more.begin(), rule.more.end(), name) != rule.more.end()) continue;
    missing.push_back(name);
  }
  return missing;
}

bool is_allowed_method(std::string_view bare_name) {
  return std::any_of(table().spaces.begin(), table().spaces.end(),
                     [&](const auto& space) { return contains(space.second, bare_name); }) &&
         refusal_reason(std::string("aten::").append(bare_name)).empty();
}

std::vector<std::string> allowed_operators() {
  std::vector<std::string> all;
  for (const auto& [space, names] : table().spaces) {
    for (const std::string_view name : names) all.push_back(std::string(space).append("::").append(name));
  }
  std::sort(all.begin(), all.end());
  return all;
}

}  // namespace ptrun::torchscript
