//! Adamax's step.

use super::{AverageLanes, Chunk, SlopeLanes, Step, Vectorised, for_each_vector};
use crate::adamax::Constants;
use sconce_core::cpu::Real;
use sconce_kernels::simd::{Simd, Vector};

impl Vectorised for Constants {
    #[inline(always)]
    fn run<T: Real, S: Simd>(&self, s: S, chunk: Chunk<'_, T>) {
        let spread = |value| s.constant::<T>(value);
        let lanes = Lanes {
            slope: SlopeLanes::new(self.slope, spread),
            average: AverageLanes::new(self.beta1, spread),
            beta2: spread(self.beta2),
            eps: spread(self.eps),
            rate: spread(self.rate),
        };
        for_each_vector::<T, S, 2>(s, chunk, &lanes);
    }
}

/// The constants, each in every lane of a vector.
struct Lanes<V> {
    slope: SlopeLanes<V>,
    average: AverageLanes<V>,
    beta2: V,
    eps: V,
    rate: V,
}

impl<V: Vector> Step<V, 2> for Lanes<V> {
    #[inline(always)]
    fn step(&self, p: V, g: V, [mean, largest]: [V; 2]) -> (V, [V; 2]) {
        let g = self.slope.at(p, g);
        let mean = self.average.next(mean, g);
        let largest = (largest * self.beta2).max(g.abs() + self.eps);
        ((mean / largest).neg_mul_add(self.rate, p), [mean, largest])
    }
}
