//! One step's gradient from several batches.

use crate::held::{Held, blend_all};
use crate::kernels::blend::Blend;
use candle_core::{DType, Device, Tensor, Var};
use sconce_core::{Error, Gradients, Parameters, Result};
use std::collections::{HashMap, HashSet};

const NAME: &str = "GradientAccumulator";
const SAMPLES: &str = "samples";
const SUM: &str = "sum";
const MISSING: &str = "missing";

/// Adds up the gradients of micro-batches to that of the whole batch, for batches that don't fit the memory at once.
///
/// g = Σᵢ nᵢ·gᵢ / Σᵢ nᵢ: with gᵢ the gradient of a mean over nᵢ samples, the gradient of the mean over all of them, also
/// where the micro-batches differ in size. (A loss that isn't a mean over samples, such as one with batch norm before it,
/// isn't the same on parts of a batch.)
///
/// A parameter without a gradient in some of the micro-batches counts as 0 there; one without any is missing from the result.
/// The sum is kept in memory of its own and added to in place; for half precision in `f32`.
///
/// # Errors
/// `add`: no samples; a gradient of another shape or type than before. `finish`: nothing was added.
///
/// # Example
/// ```
/// use sconce_core::candle_core::{DType, Device, Tensor};
/// use sconce_core::{Init, ParamStore, backward, param};
/// use sconce_optim::GradientAccumulator;
/// let store = ParamStore::new(DType::F64, &Device::Cpu);
/// let w = param(&store.builder(), 1, "w", &Init::Const(1.))?;
/// let loss = |x: &[f64]| (Tensor::new(x, &Device::Cpu)?.broadcast_mul(&w.tensor())?).sqr()?.mean_all();
/// let whole = backward(&loss(&[1., 2., 3.])?, &store)?;
///
/// let mut accumulator = GradientAccumulator::new();
/// for part in [&[1., 2.][..], &[3.]] {
///     accumulator.add(&backward(&loss(part)?, &store)?, part.len())?;
/// }
/// let gradients = accumulator.finish()?;
/// let value = |g: &sconce_core::Gradients| g.get("w").unwrap().to_vec1::<f64>();
/// assert!((value(&gradients)?[0] / value(&whole)?[0] - 1.).abs() < 1e-15);
/// # Ok::<(), sconce_core::Error>(())
/// ```
#[derive(Default)]
pub struct GradientAccumulator {
    samples: usize,
    sums: Vec<(String, Held)>,
    index: HashMap<String, usize>,
    missing: Vec<String>,
}

impl GradientAccumulator {
    /// With nothing in it.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds the gradient of a mean over so many samples.
    ///
    /// # Errors
    /// See [`GradientAccumulator`]; then nothing was added.
    pub fn add(&mut self, gradients: &Gradients, samples: usize) -> Result<()> {
        if samples == 0 {
            return Err(Error::config(NAME, "samples", 0, "at least 1"));
        }
        for (name, gradient) in gradients.iter() {
            let known = self.index.get(name).and_then(|&i| self.sums.get(i));
            if let Some((_, sum)) = known {
                sum.check(&format!("{name} ({NAME})"), "gradient", gradient)?;
            }
        }
        let mut known: Vec<Option<&Tensor>> = vec![None; self.sums.len()];
        let mut new = Vec::new();
        for (name, gradient) in gradients.iter() {
            match self.index.get(name).and_then(|&i| known.get_mut(i)) {
                Some(place) => *place = Some(gradient),
                None => new.push((name, gradient)),
            }
        }
        let by = Blend::Add(samples as f64);
        let sums = self.sums.iter_mut().zip(known);
        blend_all(
            sums.filter_map(|((_, sum), gradient)| Some((sum, by, gradient?.clone())))
                .collect(),
        )?;
        for (name, gradient) in new {
            self.index.insert(name.to_string(), self.sums.len());
            let sum = Held::multiple(gradient, samples as f64)?;
            self.sums.push((name.to_string(), sum));
        }
        self.missing.extend_from_slice(gradients.missing());
        self.samples += samples;
        Ok(())
    }

    /// How many samples are in it.
    pub fn samples(&self) -> usize {
        self.samples
    }

    /// The gradient of the mean over all samples; afterwards there is nothing in it.
    ///
    /// # Errors
    /// See [`GradientAccumulator`].
    pub fn finish(&mut self) -> Result<Gradients> {
        let all = std::mem::take(self);
        if all.samples == 0 {
            return Err(Error::config(
                NAME,
                "samples",
                0,
                "gradients that were added before",
            ));
        }
        let mut seen: HashSet<String> = all.index.into_keys().collect();
        let missing: Vec<String> = (all.missing.into_iter())
            .filter(|name| seen.insert(name.clone()))
            .collect();
        let divided = all
            .sums
            .into_iter()
            .map(|(name, sum)| Ok((name, sum.into_divided(all.samples as f64)?)));
        Gradients::from_tensors(divided.collect::<Result<Vec<_>>>()?, missing)
    }

    /// A copy of what is in it, by the parameters' names, for a checkpoint between two micro-batches. Nothing if there is
    /// nothing in it.
    ///
    /// # Errors
    /// Those of candle's copy.
    pub fn state(&self) -> Result<Vec<(String, Tensor)>> {
        if self.samples == 0 {
            return Ok(Vec::new());
        }
        let samples = Tensor::new(self.samples as i64, &Device::Cpu)?;
        let mut all = vec![(SAMPLES.to_string(), samples)];
        // Numbered, since norms are summed up in the order of the gradients, also after a file has put them into its own.
        for (i, (name, sum)) in self.sums.iter().enumerate() {
            all.push((format!("{SUM}.{i:08}.{name}"), sum.kept()?));
        }
        let nothing = Tensor::zeros(0, DType::U8, &Device::Cpu)?;
        for (i, name) in self.missing.iter().enumerate() {
            all.push((format!("{MISSING}.{i:08}.{name}"), nothing.clone()));
        }
        Ok(all)
    }

    /// Goes on from a state that [`state`](Self::state) gave, of gradients of these parameters.
    ///
    /// # Errors
    /// A name that isn't one of a state, or not of a parameter; another shape; no number of samples. Then nothing was changed.
    pub fn load_state<P: Parameters + ?Sized>(
        &mut self,
        state: &[(String, Tensor)],
        parameters: &P,
    ) -> Result<()> {
        let mut loaded = Self::default();
        let known: HashMap<String, Var> = parameters.named_tensors().into_iter().collect();
        let (mut sums, mut missing) = (Vec::new(), Vec::new());
        for (key, tensor) in state {
            if key == SAMPLES {
                let samples = tensor.to_dtype(DType::I64)?.to_scalar::<i64>()?;
                loaded.samples = usize::try_from(samples)
                    .ok()
                    .filter(|&samples| samples > 0)
                    .ok_or_else(|| Error::config(NAME, SAMPLES, samples, "at least 1"))?;
                continue;
            }
            let place = |kind| {
                let (place, name) = key.strip_prefix(kind)?.strip_prefix('.')?.split_once('.')?;
                Some((place.parse::<u64>().ok()?, name, known.get(name)?))
            };
            if let Some((place, name, var)) = place(SUM) {
                if tensor.dims() != var.dims() {
                    let expected = format!("{:?}, as the parameter", var.dims());
                    return Err(Error::shape(
                        format!("{name} ({NAME})"),
                        "state",
                        expected,
                        tensor.dims(),
                    ));
                }
                sums.push((place, name.to_string(), Held::like(var.as_tensor(), tensor)?));
            } else if let Some((place, name, _)) = place(MISSING) {
                missing.push((place, name.to_string()));
            } else {
                let expected = format!("{SAMPLES}, {SUM}.N.NAME or {MISSING}.N.NAME for a parameter");
                return Err(Error::config(NAME, "state", key, expected));
            }
        }
        if loaded.samples == 0 && !state.is_empty() {
            return Err(Error::config(NAME, "state", "without samples", "their number"));
        }
        sums.sort_unstable_by_key(|(place, ..)| *place);
        missing.sort_unstable();
        for (_, name, sum) in sums {
            if loaded.index.insert(name.clone(), loaded.sums.len()).is_some() {
                return Err(Error::config(NAME, "state", name, "each name once"));
            }
            loaded.sums.push((name, sum));
        }
        loaded.missing = missing.into_iter().map(|(_, name)| name).collect();
        *self = loaded;
        Ok(())
    }
}

#[cfg(test)]
mod tests;
