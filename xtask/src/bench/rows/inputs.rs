//! The numbers that both sides start from, and how what they computed is compared.

use sconce::core::candle_core::{self, Device, Shape, Tensor};

/// The `i`-th of a series of numbers in [−0.5, 0.5): the same as `values` in peer.py, to the bit.
fn value(i: usize, seed: usize) -> f64 {
    ((i * 7_919 + seed * 104_729) % 2_003) as f64 / 2_003. - 0.5
}

/// A series of such numbers.
pub fn values(count: usize, seed: usize) -> Vec<f32> {
    (0..count).map(|i| value(i, seed) as f32).collect()
}

/// A tensor of such numbers.
///
/// # Errors
/// None for a shape that fits the memory.
pub fn tensor(shape: impl Into<Shape>, seed: usize) -> candle_core::Result<Tensor> {
    let shape = shape.into();
    Tensor::from_vec(values(shape.elem_count(), seed), shape, &Device::Cpu)
}

/// Length of a result, and the cosine of its angle to a fixed vector: two numbers that tell a wrong order or scale.
pub fn summary(result: &[f32]) -> (f64, f64) {
    let (mut square, mut product, mut own) = (0., 0., 0.);
    for (i, &x) in result.iter().enumerate() {
        let (x, h) = (f64::from(x), value(i, 99));
        square += x * x;
        product += x * h;
        own += h * h;
    }
    let norm = f64::sqrt(square);
    let lengths = norm * f64::sqrt(own);
    (norm, if lengths > 0. { product / lengths } else { 0. })
}
