//! Decoding: one token after the other.

use crate::{KvCache, Sampling, check, next_tokens};
use candle_core::{DType, Result, Tensor};
use sconce_core::{Error, Generator, default_generator, no_grad};

/// Options of [`generate`].
#[derive(Debug, Clone, PartialEq)]
pub struct GenerateConfig {
    /// How many tokens are added at most.
    pub max_new_tokens: usize,
    /// How each is chosen.
    pub sampling: Sampling,
    /// The token that ends a sequence; what stands behind it in its row is the same token again.
    pub eos_token_id: Option<u32>,
}

impl GenerateConfig {
    /// Greedily, without a token that ends a sequence.
    pub fn new(max_new_tokens: usize) -> Self {
        Self {
            max_new_tokens,
            sampling: Sampling::Greedy,
            eos_token_id: None,
        }
    }
}

const NAME: &str = "generate";

/// Continues sequences token by token, in evaluation and without a graph.
///
/// `step` gives the logits of the tokens that it is handed: of the whole prompt at first, then of the newest token alone,
/// with `cache` telling what came before. [`Gpt::step`](crate::models::Gpt::step) is such a function; around
/// [`TransformerDecoder::step`](crate::TransformerDecoder::step) one writes embedding, positions and last layer.
///
/// It ends after `max_new_tokens`, or when every sequence has had its `eos_token_id`. Random choices draw from `generator`, or
/// from the process's default one.
///
/// # Shapes
/// prompt `[batch, length]`, step `[batch, n]` → `[batch, n, vocabulary]`, output `[batch, length + new]` of type i64
/// # Errors
/// The prompt isn't made of integers or is empty, an option is out of range, `step` fails or gives another shape.
/// # Source
/// `transformers.GenerationMixin.generate`
/// # Example
/// ```
/// use sconce_core::{Generator, ParamStore, candle_core::{DType, Device, Tensor}};
/// use sconce_transformer::models::{Gpt, GptConfig};
/// use sconce_transformer::{GenerateConfig, Sampling, generate};
/// let store = ParamStore::new(DType::F32, &Device::Cpu).seeded(0);
/// let gpt = Gpt::new(&GptConfig { n_layer: 1, n_head: 2, n_embd: 8, ..GptConfig::new(11) }, store.builder())?;
/// let sampling = Sampling::Random { temperature: 0.8, top_k: Some(5), top_p: None };
/// let cfg = GenerateConfig { sampling, ..GenerateConfig::new(4) };
/// let prompt = Tensor::new(&[[1u32, 2, 3]], &Device::Cpu)?;
/// let step = |ids: &Tensor, cache: &mut _| gpt.step(ids, cache);
/// let ids = generate(&prompt, &cfg, &mut gpt.cache(), Some(&Generator::new(7)), step)?;
/// assert_eq!(ids.dims(), [1, 7]);
/// # Ok::<(), sconce_core::Error>(())
/// ```
pub fn generate(
    prompt: &Tensor,
    cfg: &GenerateConfig,
    cache: &mut KvCache,
    generator: Option<&Generator>,
    mut step: impl FnMut(&Tensor, &mut KvCache) -> Result<Tensor>,
) -> Result<Tensor> {
    let (batch, _) = check::ids(NAME, "prompt", prompt)?;
    let generator = generator.cloned().unwrap_or_else(default_generator);
    let mut ids = prompt.to_dtype(DType::I64)?;
    let mut sequence = vec![ids.clone()];
    let mut ended = vec![false; batch];
    for _ in 0..cfg.max_new_tokens {
        let logits = no_grad(|| step(&ids, cache))?;
        let new = ids.dim(1)?;
        let last = match *logits.dims() {
            [b, n, _] if (b, n) == (batch, new) => logits.narrow(1, new - 1, 1)?.squeeze(1)?,
            ref dims => {
                let expected = format!("[batch = {batch}, positions = {new}, vocabulary]");
                return Err(Error::shape(NAME, "step's logits", expected, dims).into());
            }
        };
        let mut tokens = next_tokens(&last, cfg.sampling, &generator)?;
        if let Some(eos) = cfg.eos_token_id {
            for (token, ended) in tokens.iter_mut().zip(&mut ended) {
                if *ended {
                    *token = eos;
                }
                *ended = *token == eos;
            }
        }
        let tokens = tokens.into_iter().map(i64::from).collect();
        ids = Tensor::from_vec(tokens, (batch, 1), prompt.device())?;
        sequence.push(ids.clone());
        if ended.iter().all(|ended| *ended) {
            break;
        }
    }
    Tensor::cat(&sequence, 1)
}
