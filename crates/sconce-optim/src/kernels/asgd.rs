//! ASGD's step.

use super::{Chunk, SlopeLanes, Step, Vectorised, for_each_vector};
use crate::asgd::Constants;
use sconce_core::cpu::Real;
use sconce_kernels::simd::{Simd, Vector};

impl Vectorised for Constants {
    #[inline(always)]
    fn run<T: Real, S: Simd>(&self, s: S, chunk: Chunk<'_, T>) {
        let spread = |value| s.constant::<T>(value);
        let lanes = Lanes {
            slope: SlopeLanes::new(self.slope, spread),
            shrink: spread(self.shrink),
            rate: spread(self.rate),
            weight: spread(self.weight),
            is_first: self.weight == 1.,
        };
        for_each_vector::<T, S, 1>(s, chunk, &lanes);
    }
}

/// The constants, each in every lane of a vector.
struct Lanes<V> {
    slope: SlopeLanes<V>,
    shrink: V,
    rate: V,
    weight: V,
    is_first: bool,
}

impl<V: Vector> Step<V, 1> for Lanes<V> {
    #[inline(always)]
    fn step(&self, p: V, g: V, [mean]: [V; 1]) -> (V, [V; 1]) {
        let g = self.slope.at(p, g);
        let p = g.neg_mul_add(self.rate, p * self.shrink);
        let mean = if self.is_first {
            p
        } else {
            (p - mean).mul_add(self.weight, mean)
        };
        (p, [mean])
    }
}
