//! Options of multi-head attention, and of a call of it.

use candle_core::Tensor;

/// Options of [`MultiheadAttention`](super::MultiheadAttention); the defaults are PyTorch's.
#[derive(Debug, Clone, PartialEq)]
pub struct MultiheadAttentionConfig {
    /// Width of the queries and of the output.
    pub embed_dim: usize,
    /// Number of heads; each works on embed_dim / num_heads of the width.
    pub num_heads: usize,
    /// Probability with which a weight is dropped in training.
    pub dropout: f64,
    /// Whether the projections add a learned vector.
    pub bias: bool,
    /// Whether a learned key and value stand behind the given ones.
    pub add_bias_kv: bool,
    /// Whether a key and a value of zeros stand behind all others.
    pub add_zero_attn: bool,
    /// Width of the keys; that of the queries if `None`.
    pub kdim: Option<usize>,
    /// Width of the values; that of the queries if `None`.
    pub vdim: Option<usize>,
    /// Whether inputs are `[batch, length, width]` instead of `[length, batch, width]`.
    pub batch_first: bool,
}

impl MultiheadAttentionConfig {
    /// Keys and values as wide as the queries, length first.
    pub fn new(embed_dim: usize, num_heads: usize) -> Self {
        Self {
            embed_dim,
            num_heads,
            dropout: 0.,
            bias: true,
            add_bias_kv: false,
            add_zero_attn: false,
            kdim: None,
            vdim: None,
            batch_first: false,
        }
    }
}

/// What a call of [`MultiheadAttention::forward_t`](super::MultiheadAttention::forward_t) takes besides its inputs; the defaults are PyTorch's.
#[derive(Debug, Clone)]
pub struct AttentionMasks<'a> {
    /// Keys that no query sees, `[batch, keys]` (`[keys]` without batch): `u8`, 1 is **masked out**; or of the inputs' type,
    /// added to the scores.
    pub key_padding_mask: Option<&'a Tensor>,
    /// Which key each query doesn't see, `[queries, keys]` or `[batch · num_heads, queries, keys]`; types as above.
    pub attn_mask: Option<&'a Tensor>,
    /// Whether query i sees only the keys 0 to i. Nothing more than a hint where `attn_mask` is given, as in PyTorch, which
    /// asks for both; here the mask may be left out.
    pub is_causal: bool,
    /// Whether the weights are given too.
    pub need_weights: bool,
    /// Whether the weights given are the heads' mean.
    pub average_attn_weights: bool,
}

impl Default for AttentionMasks<'_> {
    fn default() -> Self {
        Self {
            key_padding_mask: None,
            attn_mask: None,
            is_causal: false,
            need_weights: true,
            average_attn_weights: true,
        }
    }
}
