//! Lion's step.

use super::{AverageLanes, Chunk, SlopeLanes, Step, Vectorised, for_each_vector};
use crate::lion::Constants;
use sconce_core::cpu::Real;
use sconce_kernels::simd::{Simd, Vector};

impl Vectorised for Constants {
    #[inline(always)]
    fn run<T: Real, S: Simd>(&self, s: S, chunk: Chunk<'_, T>) {
        let spread = |value| s.constant::<T>(value);
        let lanes = Lanes {
            slope: SlopeLanes::new(self.slope, spread),
            shrink: spread(self.shrink),
            mix: AverageLanes::new(self.beta1, spread),
            average: AverageLanes::new(self.beta2, spread),
            lr: spread(self.lr),
        };
        for_each_vector::<T, S, 1>(s, chunk, &lanes);
    }
}

/// The constants, each in every lane of a vector.
struct Lanes<V> {
    slope: SlopeLanes<V>,
    shrink: V,
    mix: AverageLanes<V>,
    average: AverageLanes<V>,
    lr: V,
}

impl<V: Vector> Step<V, 1> for Lanes<V> {
    #[inline(always)]
    fn step(&self, p: V, g: V, [mean]: [V; 1]) -> (V, [V; 1]) {
        let g = self.slope.at(p, g);
        let (zero, mix) = (p.same(0.), self.mix.next(mean, g));
        // A gradient that isn't a number shows.
        let down = V::select(mix.lt(zero), zero - self.lr, mix * zero);
        let way = V::select(mix.gt(zero), self.lr, down);
        (p * self.shrink - way, [self.average.next(mean, g)])
    }
}
