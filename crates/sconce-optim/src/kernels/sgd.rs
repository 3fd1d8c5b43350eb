//! SGD's step.

use super::{Chunk, SlopeLanes, Step, Vectorised, for_each_vector};
use crate::sgd::Constants;
use sconce_core::cpu::Real;
use sconce_kernels::simd::{Simd, Vector};

impl Vectorised for Constants {
    #[inline(always)]
    fn run<T: Real, S: Simd>(&self, s: S, chunk: Chunk<'_, T>) {
        let spread = |value| s.constant::<T>(value);
        let (keep, add, ahead) = self.momentum.map_or((0., 0., None), |m| (m.keep, m.add, m.ahead));
        let lanes = Lanes {
            slope: SlopeLanes::new(self.slope, spread),
            lr: spread(self.lr),
            keep: spread(keep),
            add: spread(add),
            ahead: spread(ahead.unwrap_or(0.)),
            nesterov: ahead.is_some(),
        };
        match self.momentum {
            Some(_) => for_each_vector::<T, S, 1>(s, chunk, &lanes),
            None => for_each_vector::<T, S, 0>(s, chunk, &lanes),
        }
    }
}

/// The constants, each in every lane of a vector.
struct Lanes<V> {
    slope: SlopeLanes<V>,
    lr: V,
    keep: V,
    add: V,
    ahead: V,
    nesterov: bool,
}

impl<V: Vector> Step<V, 0> for Lanes<V> {
    #[inline(always)]
    fn step(&self, p: V, g: V, []: [V; 0]) -> (V, [V; 0]) {
        (self.slope.at(p, g).neg_mul_add(self.lr, p), [])
    }
}

/// With momentum.
impl<V: Vector> Step<V, 1> for Lanes<V> {
    #[inline(always)]
    fn step(&self, p: V, g: V, [buffer]: [V; 1]) -> (V, [V; 1]) {
        let g = self.slope.at(p, g);
        let buffer = buffer.mul_add(self.keep, g * self.add);
        let direction = if self.nesterov {
            buffer.mul_add(self.ahead, g)
        } else {
            buffer
        };
        (direction.neg_mul_add(self.lr, p), [buffer])
    }
}
