//! SGD's step.

use super::{Chunk, Step, for_each_vector};
use crate::sgd::Constants;
use sconce_core::cpu::Real;
use sconce_kernels::simd::{Kernel, Simd, Vector, dispatch};

/// One step; every element is read and written once.
pub(crate) fn sgd<T: Real>(constants: &Constants, chunk: Chunk<'_, T>) {
    dispatch(Sgd { constants, chunk });
}

struct Sgd<'a, T> {
    constants: &'a Constants,
    chunk: Chunk<'a, T>,
}

impl<T: Real> Kernel for Sgd<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let c = self.constants;
        let spread = |value| s.constant::<T>(value);
        let (keep, add, ahead) = c.momentum.map_or((0., 0., None), |m| (m.keep, m.add, m.ahead));
        let lanes = Lanes {
            lr: spread(c.lr),
            weight_decay: spread(c.weight_decay),
            sign: spread(c.sign),
            keep: spread(keep),
            add: spread(add),
            ahead: spread(ahead.unwrap_or(0.)),
            nesterov: ahead.is_some(),
        };
        match c.momentum {
            Some(_) => for_each_vector::<T, S, 1>(s, self.chunk, &lanes),
            None => for_each_vector::<T, S, 0>(s, self.chunk, &lanes),
        }
    }
}

/// The constants, each in every lane of a vector.
struct Lanes<V> {
    lr: V,
    weight_decay: V,
    sign: V,
    keep: V,
    add: V,
    ahead: V,
    nesterov: bool,
}

impl<V: Vector> Step<V, 0> for Lanes<V> {
    #[inline(always)]
    fn step(&self, p: V, g: V, []: [V; 0]) -> (V, [V; 0]) {
        let g = p.mul_add(self.weight_decay, g * self.sign);
        (g.neg_mul_add(self.lr, p), [])
    }
}

/// With momentum.
impl<V: Vector> Step<V, 1> for Lanes<V> {
    #[inline(always)]
    fn step(&self, p: V, g: V, [buffer]: [V; 1]) -> (V, [V; 1]) {
        let g = p.mul_add(self.weight_decay, g * self.sign);
        let buffer = buffer.mul_add(self.keep, g * self.add);
        let direction = if self.nesterov {
            buffer.mul_add(self.ahead, g)
        } else {
            buffer
        };
        (direction.neg_mul_add(self.lr, p), [buffer])
    }
}
