//! AdaDelta's step.

use super::{AverageLanes, Chunk, SlopeLanes, Step, Vectorised, for_each_vector};
use crate::adadelta::Constants;
use sconce_core::cpu::Real;
use sconce_kernels::simd::{Simd, Vector};

impl Vectorised for Constants {
    #[inline(always)]
    fn run<T: Real, S: Simd>(&self, s: S, chunk: Chunk<'_, T>) {
        let spread = |value| s.constant::<T>(value);
        let lanes = Lanes {
            slope: SlopeLanes::new(self.slope, spread),
            average: AverageLanes::new(self.rho, spread),
            eps: spread(self.eps),
            lr: spread(self.lr),
        };
        for_each_vector::<T, S, 2>(s, chunk, &lanes);
    }
}

/// The constants, each in every lane of a vector.
struct Lanes<V> {
    slope: SlopeLanes<V>,
    average: AverageLanes<V>,
    eps: V,
    lr: V,
}

impl<V: Vector> Step<V, 2> for Lanes<V> {
    #[inline(always)]
    fn step(&self, p: V, g: V, [square, steps]: [V; 2]) -> (V, [V; 2]) {
        let g = self.slope.at(p, g);
        let square = self.average.next(square, g * g);
        let direction = (steps + self.eps).sqrt() / (square + self.eps).sqrt() * g;
        let steps = self.average.next(steps, direction * direction);
        (direction.neg_mul_add(self.lr, p), [square, steps])
    }
}
