//! InfoNCE.

use super::distance::normalise;
use crate::{Reduction, check, cross_entropy};
use candle_core::{D, DType, Result, Tensor};
use sconce_core::{Error, widened};

const NAME: &str = "info_nce";

/// Options of [`info_nce`].
#[derive(Debug, Clone)]
pub struct InfoNceConfig {
    /// What similarities are divided by: the lower, the more the nearest negatives count.
    pub temperature: f64,
    /// What queries are compared with beside their own positive: `[negatives, features]` for all queries, or
    /// `[batch, negatives, features]`, for each its own. None takes the other queries' positives.
    pub negatives: Option<Tensor>,
}

impl Default for InfoNceConfig {
    fn default() -> Self {
        Self {
            temperature: 0.1,
            negatives: None,
        }
    }
}

/// Contrastive loss of pairs: of several candidates, a query is to be most similar to its positive.
///
/// It is the cross-entropy of the similarities cos(q, k)/τ as logits, whose right class is the query's positive. Vectors are
/// brought to length 1; one of zeros stays so, and is similar to nothing. The mean is over the queries. Queries, positives and
/// negatives get their gradient, if they are tracked.
///
/// # Shapes
/// `query`, `positive`: `[batch, features]`, the same; output: `[batch]` with [`Reduction::None`], else a scalar
///
/// # Errors
/// Shapes other than these; element types that differ or aren't of floating point; negatives of other sizes; a temperature that
/// isn't above 0.
///
/// # Source
/// van den Oord, Li and Vinyals, "Representation Learning with Contrastive Predictive Coding", 2018
///
/// # Example
/// ```
/// use sconce_core::candle_core::{Device, Tensor};
/// use sconce_losses::{InfoNceConfig, Reduction, info_nce};
/// let query = Tensor::new(&[[1f64, 0.], [0., 1.]], &Device::Cpu)?;
/// let positive = Tensor::new(&[[3f64, 0.], [0., 0.5]], &Device::Cpu)?;
/// let cfg = InfoNceConfig { temperature: 1., ..InfoNceConfig::default() };
/// let loss = info_nce(&query, &positive, &cfg, Reduction::Mean)?.to_scalar::<f64>()?;
/// assert!((loss - (1. + (-1f64).exp()).ln()).abs() < 1e-12);
/// # Ok::<(), sconce_core::candle_core::Error>(())
/// ```
pub fn info_nce(
    query: &Tensor,
    positive: &Tensor,
    cfg: &InfoNceConfig,
    reduction: Reduction,
) -> Result<Tensor> {
    let [batch, features] = embeddings(NAME, "query", query)?;
    check::like(NAME, "positive", positive, query)?;
    check::positive(NAME, "temperature", cfg.temperature)?;
    if let Some(negatives) = &cfg.negatives {
        check::same_dtype(NAME, "negatives", negatives, query.dtype())?;
        let fits = match negatives.dims() {
            [_, size] => *size == features,
            [rows, _, size] => *rows == batch && *size == features,
            _ => false,
        };
        if !fits {
            let expected = format!(
                "[negatives, features = {features}] or [batch = {batch}, negatives, features = {features}]"
            );
            return Err(Error::shape(NAME, "negatives", expected, negatives.dims()).into());
        }
    }
    if let Some(loss) = widened(query, |wide| {
        let negatives = cfg.negatives.as_ref().map(wide).transpose()?;
        let cfg = InfoNceConfig { negatives, ..*cfg };
        info_nce(&wide(query)?, &wide(positive)?, &cfg, reduction)
    })? {
        return Ok(loss);
    }
    let (query, positive) = (normalise(query)?, normalise(positive)?);
    let device = query.device();
    let (logits, right) = match &cfg.negatives {
        None => (
            query.matmul(&positive.t()?)?,
            Tensor::arange(0, batch as u32, device)?,
        ),
        Some(negatives) => {
            let own = (&query * positive)?.sum_keepdim(D::Minus1)?;
            let negatives = normalise(negatives)?;
            let others = match negatives.rank() {
                2 => query.matmul(&negatives.t()?)?,
                _ => query.unsqueeze(1)?.broadcast_mul(&negatives)?.sum(D::Minus1)?,
            };
            (
                Tensor::cat(&[own, others], 1)?,
                Tensor::zeros(batch, DType::U32, device)?,
            )
        }
    };
    cross_entropy(&(logits / cfg.temperature)?, &right, reduction)
}

/// The sizes of a batch of at least one embedding, and of one feature.
pub(super) fn embeddings(
    name: &'static str,
    argument: &'static str,
    x: &Tensor,
) -> sconce_core::Result<[usize; 2]> {
    check::float(name, argument, x)?;
    match x.dims() {
        [batch @ (1..), features @ (1..)] => Ok([*batch, *features]),
        dims => {
            let expected = "[batch, features], at least one of each";
            Err(Error::shape(name, argument, expected, dims))
        }
    }
}
