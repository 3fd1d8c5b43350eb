//! A small seeded generator of tensors and shapes.

use candle_core::{DType, Device, Result, Shape, Tensor};

/// A seeded generator for test data: SplitMix64, the same values on every machine.
///
/// It is for tests alone; it has nothing to do with the generator that a program under test draws from.
///
/// # Source
/// Steele, Lea and Flood, "Fast splittable pseudorandom number generators", 2014
///
/// # Example
/// ```
/// use candle_core::DType;
/// use sconce_testkit::Random;
///
/// let x = Random::new(7).normal((2, 3), DType::F32)?;
/// assert_eq!(x.to_vec2::<f32>()?, Random::new(7).normal((2, 3), DType::F32)?.to_vec2::<f32>()?);
/// # Ok::<(), candle_core::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Random {
    state: u64,
}

impl Random {
    /// A generator that starts at `seed`.
    pub fn new(seed: u64) -> Self {
        Self { state: seed }
    }

    /// The next 64 random bits.
    pub fn bits(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.state;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// A number in `[0, 1)`.
    pub fn unit(&mut self) -> f64 {
        (self.bits() >> 11) as f64 / (1u64 << 53) as f64
    }

    /// A whole number in `low..high`; `low` if the range is empty.
    pub fn integer(&mut self, low: usize, high: usize) -> usize {
        let span = high.saturating_sub(low).max(1);
        low + (self.bits() % span as u64) as usize
    }

    /// A shape of `rank` axes, each of 1 to `largest`.
    pub fn shape(&mut self, rank: usize, largest: usize) -> Vec<usize> {
        (0..rank).map(|_| self.integer(1, largest + 1)).collect()
    }

    /// An order of `0..n`, each equally likely.
    pub fn permutation(&mut self, n: usize) -> Vec<usize> {
        let mut order: Vec<usize> = (0..n).collect();
        for i in (1..n).rev() {
            order.swap(i, self.integer(0, i + 1));
        }
        order
    }

    /// A tensor on the CPU with values in `[low, high)`.
    ///
    /// # Errors
    /// `dtype` is not a type that candle converts f64 to.
    pub fn uniform(&mut self, shape: impl Into<Shape>, low: f64, high: f64, dtype: DType) -> Result<Tensor> {
        self.fill(shape, dtype, |random| low + (high - low) * random.unit())
    }

    /// A tensor on the CPU with values from the standard normal distribution.
    ///
    /// # Errors
    /// `dtype` is not a type that candle converts f64 to.
    pub fn normal(&mut self, shape: impl Into<Shape>, dtype: DType) -> Result<Tensor> {
        self.fill(shape, dtype, |random| {
            let radius = (-2.0 * (1.0 - random.unit()).ln()).sqrt();
            radius * (std::f64::consts::TAU * random.unit()).cos()
        })
    }

    /// A tensor on the CPU of indices (i64) in `0..high`.
    ///
    /// # Errors
    /// None but candle's own, for instance out of memory.
    pub fn indices(&mut self, shape: impl Into<Shape>, high: usize) -> Result<Tensor> {
        let shape = shape.into();
        let values: Vec<i64> = (0..shape.elem_count())
            .map(|_| self.integer(0, high) as i64)
            .collect();
        Tensor::from_vec(values, shape, &Device::Cpu)
    }

    fn fill(
        &mut self,
        shape: impl Into<Shape>,
        dtype: DType,
        draw: impl Fn(&mut Self) -> f64,
    ) -> Result<Tensor> {
        let shape = shape.into();
        let values: Vec<f64> = (0..shape.elem_count()).map(|_| draw(self)).collect();
        Tensor::from_vec(values, shape, &Device::Cpu)?.to_dtype(dtype)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn first_values_are_splitmix64s() {
        // From the reference implementation, seed 1234567.
        let mut random = Random::new(1_234_567);
        let expected = [
            6_457_827_717_110_365_317,
            3_203_168_211_198_807_973,
            9_817_491_932_198_370_423,
        ];
        assert_eq!([random.bits(), random.bits(), random.bits()], expected);
    }

    #[test]
    fn distributions_have_their_moments() -> Result<()> {
        let mut random = Random::new(11);
        for (x, mean, variance) in [
            (random.normal(20_000, DType::F64)?, 0.0, 1.0),
            (random.uniform(20_000, -1.0, 2.0, DType::F64)?, 0.5, 0.75),
        ] {
            let values = x.to_vec1::<f64>()?;
            let m = values.iter().sum::<f64>() / values.len() as f64;
            let v = values.iter().map(|x| (x - m).powi(2)).sum::<f64>() / values.len() as f64;
            // Four standard errors of 20 000 draws.
            assert!((m - mean).abs() < 0.03, "mean {m}");
            assert!((v - variance).abs() < 0.05, "variance {v}");
        }
        Ok(())
    }

    #[test]
    fn a_permutation_has_each_index_once() {
        let mut order = Random::new(5).permutation(17);
        assert_ne!(order, (0..17).collect::<Vec<_>>());
        order.sort_unstable();
        assert_eq!(order, (0..17).collect::<Vec<_>>());
    }
}
