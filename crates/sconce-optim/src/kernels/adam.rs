//! Adam's step.

use super::{Chunk, Step, for_each_vector};
use crate::adam::Constants;
use sconce_core::cpu::Real;
use sconce_kernels::simd::{Kernel, Simd, Vector, dispatch};

/// One step; every element is read and written once.
pub(crate) fn adam<T: Real>(constants: &Constants, chunk: Chunk<'_, T>) {
    dispatch(Adam { constants, chunk });
}

struct Adam<'a, T> {
    constants: &'a Constants,
    chunk: Chunk<'a, T>,
}

impl<T: Real> Kernel for Adam<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let c = self.constants;
        let spread = |value| s.constant::<T>(value);
        let lanes = Lanes {
            sign: spread(c.sign),
            weight_decay: spread(c.weight_decay),
            shrink: spread(c.shrink),
            keep1: spread(c.beta1),
            add1: spread(1. - c.beta1),
            keep2: spread(c.beta2),
            add2: spread(1. - c.beta2),
            eps: spread(c.eps),
            rate: spread(c.rate),
            root_inverse: spread(c.root.recip()),
        };
        if c.amsgrad {
            for_each_vector::<T, S, 3>(s, self.chunk, &lanes);
        } else {
            for_each_vector::<T, S, 2>(s, self.chunk, &lanes);
        }
    }
}

/// The constants, each in every lane of a vector.
struct Lanes<V> {
    sign: V,
    weight_decay: V,
    shrink: V,
    keep1: V,
    add1: V,
    keep2: V,
    add2: V,
    eps: V,
    rate: V,
    root_inverse: V,
}

impl<V: Vector> Lanes<V> {
    /// The running averages of the gradient and of its square.
    #[inline(always)]
    fn averages(&self, p: V, g: V, mean: V, square: V) -> (V, V) {
        let g = p.mul_add(self.weight_decay, g * self.sign);
        let mean = mean.mul_add(self.keep1, g * self.add1);
        (mean, square.mul_add(self.keep2, g * g * self.add2))
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
