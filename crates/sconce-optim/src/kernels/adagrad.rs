//! AdaGrad's step.

use super::{Chunk, SlopeLanes, Step, Vectorised, for_each_vector};
use crate::adagrad::Constants;
use sconce_core::cpu::Real;
use sconce_kernels::simd::{Simd, Vector};

impl Vectorised for Constants {
    #[inline(always)]
    fn run<T: Real, S: Simd>(&self, s: S, chunk: Chunk<'_, T>) {
        let spread = |value| s.constant::<T>(value);
        let lanes = Lanes {
            slope: SlopeLanes::new(self.slope, spread),
            rate: spread(self.rate),
            eps: spread(self.eps),
        };
        for_each_vector::<T, S, 1>(s, chunk, &lanes);
    }
}

/// The constants, each in every lane of a vector.
struct Lanes<V> {
    slope: SlopeLanes<V>,
    rate: V,
    eps: V,
}

impl<V: Vector> Step<V, 1> for Lanes<V> {
    #[inline(always)]
    fn step(&self, p: V, g: V, [sum]: [V; 1]) -> (V, [V; 1]) {
        let g = self.slope.at(p, g);
        let sum = g.mul_add(g, sum);
        let direction = g / (sum.sqrt() + self.eps);
        (direction.neg_mul_add(self.rate, p), [sum])
    }
}
