//! RMSProp's step.

use super::{AverageLanes, Chunk, SlopeLanes, Step, Vectorised, for_each_vector};
use crate::rms_prop::Constants;
use sconce_core::cpu::Real;
use sconce_kernels::simd::{Simd, Vector};

impl Vectorised for Constants {
    #[inline(always)]
    fn run<T: Real, S: Simd>(&self, s: S, chunk: Chunk<'_, T>) {
        let spread = |value| s.constant::<T>(value);
        let lanes = Lanes {
            slope: SlopeLanes::new(self.slope, spread),
            average: AverageLanes::new(self.alpha, spread),
            eps: spread(self.eps),
            lr: spread(self.lr),
            momentum: self.momentum.map(spread),
            centered: self.centered,
        };
        match (self.momentum, self.centered) {
            (None, false) => for_each_vector::<T, S, 1>(s, chunk, &lanes),
            (Some(_), true) => for_each_vector::<T, S, 3>(s, chunk, &lanes),
            _ => for_each_vector::<T, S, 2>(s, chunk, &lanes),
        }
    }
}

/// The constants, each in every lane of a vector.
struct Lanes<V> {
    slope: SlopeLanes<V>,
    average: AverageLanes<V>,
    eps: V,
    lr: V,
    momentum: Option<V>,
    centered: bool,
}

/// The states are the average of the squares, if centred the gradient's average, and with momentum the buffer as the last.
impl<V: Vector, const N: usize> Step<V, N> for Lanes<V> {
    #[inline(always)]
    fn step(&self, p: V, g: V, mut state: [V; N]) -> (V, [V; N]) {
        let g = self.slope.at(p, g);
        state[0] = self.average.next(state[0], g * g);
        let mut variance = state[0];
        if self.centered {
            let mean = self.average.next(state[1], g);
            state[1] = mean;
            // Rounding may leave less than nothing.
            variance = mean.neg_mul_add(mean, variance).max(p.same(0.));
        }
        let mut direction = g / (variance.sqrt() + self.eps);
        if let Some(momentum) = self.momentum {
            direction = state[N - 1].mul_add(momentum, direction);
            state[N - 1] = direction;
        }
        (direction.neg_mul_add(self.lr, p), state)
    }
}
