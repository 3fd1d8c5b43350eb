//! Triplet margin loss.

use super::distance::distance;
use crate::margin::positive_part;
use crate::{Reduction, check};
use candle_core::{Result, Tensor};
use sconce_core::{Error, graph, widened};

const NAME: &str = "triplet_margin";

/// Options of [`triplet_margin`]; the defaults are PyTorch's.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TripletMarginConfig {
    /// By how much farther the negative must be.
    pub margin: f64,
    /// The norm that measures distances: above 0, and infinity for the largest difference.
    pub p: f64,
    /// Added to every difference before its norm is taken.
    pub eps: f64,
    /// Whether the negative's distance from the positive counts where it is less than that from the anchor.
    pub swap: bool,
}

impl Default for TripletMarginConfig {
    fn default() -> Self {
        Self {
            margin: 1.,
            p: 2.,
            eps: 1e-6,
            swap: false,
        }
    }
}

/// Loss of triplets: the anchor is to be nearer to the positive than to the negative, by a margin.
///
/// l = max(0, d(a, p) − d(a, n) + margin), where d(x, y) = ‖x − y + eps‖ₚ along the last axis. The mean is over the triplets. At
/// the bend the gradient is 0; where a difference is 0, so is its norm's slope. All three get their gradient, if they are
/// tracked.
///
/// # Shapes
/// `anchor`, `positive`, `negative`: `[*, features]`, the same; output: `[*]` with [`Reduction::None`], else a scalar
///
/// # Errors
/// Shapes or element types that differ, aren't of floating point, or lack the axis of at least one feature; a margin or `p` that
/// isn't above 0; `eps` is negative or not finite.
///
/// # Source
/// Balntas et al., "Learning local feature descriptors with triplets and shallow convolutional neural networks", 2016;
/// `torch.nn.functional.triplet_margin_loss`
///
/// # Example
/// ```
/// use sconce_core::candle_core::{Device, Tensor};
/// use sconce_losses::{Reduction, TripletMarginConfig, triplet_margin};
/// let point = |x: f64| Tensor::new(&[[x, 0.]], &Device::Cpu);
/// let cfg = TripletMarginConfig { eps: 0., ..TripletMarginConfig::default() };
/// let loss = triplet_margin(&point(0.)?, &point(1.)?, &point(1.5)?, &cfg, Reduction::Mean)?;
/// assert_eq!(loss.to_scalar::<f64>()?, 0.5);
/// # Ok::<(), sconce_core::candle_core::Error>(())
/// ```
pub fn triplet_margin(
    anchor: &Tensor,
    positive: &Tensor,
    negative: &Tensor,
    cfg: &TripletMarginConfig,
    reduction: Reduction,
) -> Result<Tensor> {
    triplet(NAME, [anchor, positive, negative], cfg.margin)?;
    if anchor.dims().last().is_none_or(|&features| features == 0) {
        let expected = "[*, features], at least one feature";
        return Err(Error::shape(NAME, "anchor", expected, anchor.dims()).into());
    }
    check::not_negative(NAME, "eps", cfg.eps)?;
    if cfg.p.is_nan() || cfg.p <= 0. {
        return Err(Error::config(NAME, "p", cfg.p, "a number above 0, or infinity").into());
    }
    if let Some(loss) = widened(anchor, |wide| {
        let [a, p, n] = [anchor, positive, negative].map(wide);
        triplet_margin(&a?, &p?, &n?, cfg, reduction)
    })? {
        return Ok(loss);
    }
    let measure = |x: &Tensor, y: &Tensor| distance(x, y, cfg.p, cfg.eps);
    let loss = apart(
        NAME,
        [anchor, positive, negative],
        measure,
        cfg.margin,
        cfg.swap,
        reduction,
    )?;
    graph::note(NAME, &[anchor, positive, negative], std::slice::from_ref(&loss));
    Ok(loss)
}

/// [`triplet_margin`] with a distance of one's own.
///
/// `distance` gets two of the three tensors and returns the pairs' distances, in any shape; its gradient is whatever the
/// operations in it have. The mean is over what it returns.
///
/// # Shapes
/// `anchor`, `positive`, `negative`: any, the same; output: like the distances with [`Reduction::None`], else a scalar
///
/// # Errors
/// Shapes or element types that differ or aren't of floating point; a margin that isn't above 0; distances of different shapes;
/// those of `distance`.
///
/// # Source
/// `torch.nn.functional.triplet_margin_with_distance_loss`
///
/// # Example
/// ```
/// use sconce_core::candle_core::{Device, Tensor};
/// use sconce_losses::{Reduction, triplet_margin_with_distance};
/// let squared = |x: &Tensor, y: &Tensor| (x - y)?.sqr()?.sum(1);
/// let point = |x: f64| Tensor::new(&[[x, 0.]], &Device::Cpu);
/// let (anchor, positive, negative) = (point(0.)?, point(1.)?, point(-1.)?);
/// let loss = triplet_margin_with_distance(&anchor, &positive, &negative, squared, 1., false, Reduction::Mean)?;
/// assert_eq!(loss.to_scalar::<f64>()?, 1.);
/// # Ok::<(), sconce_core::candle_core::Error>(())
/// ```
pub fn triplet_margin_with_distance(
    anchor: &Tensor,
    positive: &Tensor,
    negative: &Tensor,
    distance: impl Fn(&Tensor, &Tensor) -> Result<Tensor>,
    margin: f64,
    swap: bool,
    reduction: Reduction,
) -> Result<Tensor> {
    let name = "triplet_margin_with_distance";
    triplet(name, [anchor, positive, negative], margin)?;
    let checked = |x: &Tensor, y: &Tensor| {
        let distances = distance(x, y)?;
        check::float(name, "distance", &distances)?;
        Ok(distances)
    };
    let loss = apart(
        name,
        [anchor, positive, negative],
        checked,
        margin,
        swap,
        reduction,
    )?;
    graph::note(name, &[anchor, positive, negative], std::slice::from_ref(&loss));
    Ok(loss)
}

fn triplet(name: &'static str, [a, p, n]: [&Tensor; 3], margin: f64) -> sconce_core::Result<()> {
    check::float(name, "anchor", a)?;
    check::like(name, "positive", p, a)?;
    check::like(name, "negative", n, a)?;
    check::positive(name, "margin", margin)
}

/// The negative's distances, which must fit the positive's.
fn fitting(name: &'static str, far: Tensor, near: &Tensor) -> sconce_core::Result<Tensor> {
    let whose = "those between anchor and positive";
    if far.dims() != near.dims() {
        let expected = format!("{:?}, as {whose}", near.dims());
        return Err(Error::shape(name, "distance", expected, far.dims()));
    }
    if far.dtype() != near.dtype() {
        return Err(Error::DType {
            layer: name.into(),
            argument: "distance",
            expected: format!("{:?}, as {whose}", near.dtype()),
            got: far.dtype(),
        });
    }
    Ok(far)
}

fn apart(
    name: &'static str,
    [anchor, positive, negative]: [&Tensor; 3],
    distance: impl Fn(&Tensor, &Tensor) -> Result<Tensor>,
    margin: f64,
    swap: bool,
    reduction: Reduction,
) -> Result<Tensor> {
    let near = distance(anchor, positive)?;
    let mut far = fitting(name, distance(anchor, negative)?, &near)?;
    if swap {
        // Of two that are equal each gets half of the gradient, in candle as in PyTorch.
        far = far.minimum(&fitting(name, distance(positive, negative)?, &near)?)?;
    }
    let losses = positive_part(&((near - far)? + margin)?)?;
    reduction.composite(&losses, losses.elem_count() as f64)
}
