//! Adam's step.

use super::{AverageLanes, Chunk, SlopeLanes, Step, Vectorised, for_each_vector};
use crate::adam::Constants;
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
            root_inverse: spread(self.root.recip()),
        };
        if self.amsgrad {
            for_each_vector::<T, S, 3>(s, chunk, &lanes);
        } else {
            for_each_vector::<T, S, 2>(s, chunk, &lanes);
        }
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
    root_inverse: V,
}

impl<V: Vector> Lanes<V> {
    /// The running averages of the gradient and of its square.
    #[inline(always)]
    fn averages(&self, p: V, g: V, mean: V, square: V) -> (V, V) {
        let g = self.slope.at(p, g);
        (self.first.next(mean, g), self.second.next(square, g * g))
    }

    /// The parameter's new value.
    #[inline(always)]
    fn moved(&self, p: V, mean: V, square: V) -> V {
        let denominator = square.sqrt().mul_add(self.root_inverse, self.eps);
        (mean / denominator).neg_mul_add(self.rate, p * self.shrink)
    }
}

impl<V: Vector> Step<V, 2> for Lanes<V> {
    #[inline(always)]
    fn step(&self, p: V, g: V, [mean, square]: [V; 2]) -> (V, [V; 2]) {
        let (mean, square) = self.averages(p, g, mean, square);
        (self.moved(p, mean, square), [mean, square])
    }
}

/// AMSGrad.
impl<V: Vector> Step<V, 3> for Lanes<V> {
    #[inline(always)]
    fn step(&self, p: V, g: V, [mean, square, largest]: [V; 3]) -> (V, [V; 3]) {
        let (mean, square) = self.averages(p, g, mean, square);
        let largest = largest.max(square);
        (self.moved(p, mean, largest), [mean, square, largest])
    }
}
