//! Rprop's step.

use super::{Chunk, SlopeLanes, Step, Vectorised, for_each_vector};
use crate::rprop::Constants;
use sconce_core::cpu::Real;
use sconce_kernels::simd::{Simd, Vector};

impl Vectorised for Constants {
    #[inline(always)]
    fn run<T: Real, S: Simd>(&self, s: S, chunk: Chunk<'_, T>) {
        let spread = |value| s.constant::<T>(value);
        let lanes = Lanes {
            slope: SlopeLanes::new(self.slope, spread),
            minus: spread(self.etas.0),
            plus: spread(self.etas.1),
            least: spread(self.step_sizes.0),
            largest: spread(self.step_sizes.1),
        };
        for_each_vector::<T, S, 2>(s, chunk, &lanes);
    }
}

/// The constants, each in every lane of a vector.
struct Lanes<V> {
    slope: SlopeLanes<V>,
    minus: V,
    plus: V,
    least: V,
    largest: V,
}

impl<V: Vector> Step<V, 2> for Lanes<V> {
    #[inline(always)]
    fn step(&self, p: V, g: V, [last, size]: [V; 2]) -> (V, [V; 2]) {
        let g = self.slope.at(p, g);
        let (zero, one, product) = (p.same(0.), p.same(1.), g * last);
        let turned = product.lt(zero);
        let factor = V::select(product.gt(zero), self.plus, V::select(turned, self.minus, one));
        let size = (size * factor).max(self.least).min(self.largest);
        let g = V::select(turned, zero, g);
        // Down by the step, up, or nowhere; a gradient that isn't a number shows.
        let down = V::select(g.lt(zero), zero - size, g * zero);
        let way = V::select(g.gt(zero), size, down);
        (p - way, [g, size])
    }
}
