//! NAdam's step.

use super::{AverageLanes, Chunk, SlopeLanes, Step, Vectorised, for_each_vector};
use crate::nadam::Constants;
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
            root_inverse: spread(self.root.recip()),
            by_gradient: spread(self.by_gradient),
            by_average: spread(self.by_average),
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
    root_inverse: V,
    by_gradient: V,
    by_average: V,
}

impl<V: Vector> Step<V, 2> for Lanes<V> {
    #[inline(always)]
    fn step(&self, p: V, g: V, [mean, square]: [V; 2]) -> (V, [V; 2]) {
        let g = self.slope.at(p, g);
        let mean = self.first.next(mean, g);
        let square = self.second.next(square, g * g);
        let denominator = square.sqrt().mul_add(self.root_inverse, self.eps);
        let ahead = g.mul_add(self.by_gradient, mean * self.by_average);
        (p * self.shrink - ahead / denominator, [mean, square])
    }
}
