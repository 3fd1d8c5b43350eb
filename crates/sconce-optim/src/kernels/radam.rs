//! RAdam's step.

use super::{AverageLanes, Chunk, SlopeLanes, Step, Vectorised, for_each_vector};
use crate::radam::Constants;
use sconce_core::cpu::Real;
use sconce_kernels::simd::{Simd, Vector};

impl Vectorised for Constants {
    #[inline(always)]
    fn run<T: Real, S: Simd>(&self, s: S, chunk: Chunk<'_, T>) {
        let spread = |value| s.constant::<T>(value);
        let lanes = Lanes {
            slope: SlopeLanes::new(self.slope, spread),
            shrink: spread(self.shrink),
            first: AverageLanes::new(self.beta1, spread),
            second: AverageLanes::new(self.beta2, spread),
            eps: spread(self.eps),
            rate: spread(self.rate),
            rectified: self.rectified,
        };
        for_each_vector::<T, S, 2>(s, chunk, &lanes);
    }
}

/// The constants, each in every lane of a vector.
struct Lanes<V> {
    slope: SlopeLanes<V>,
    shrink: V,
    first: AverageLanes<V>,
    second: AverageLanes<V>,
    eps: V,
    rate: V,
    rectified: bool,
}

impl<V: Vector> Step<V, 2> for Lanes<V> {
    #[inline(always)]
    fn step(&self, p: V, g: V, [mean, square]: [V; 2]) -> (V, [V; 2]) {
        let g = self.slope.at(p, g);
        let mean = self.first.next(mean, g);
        let square = self.second.next(square, g * g);
        let direction = if self.rectified {
            mean / (square.sqrt() + self.eps)
        } else {
            mean
        };
        (direction.neg_mul_add(self.rate, p * self.shrink), [mean, square])
    }
}
