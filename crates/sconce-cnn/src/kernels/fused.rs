//! Activations that a convolution applies to its own output.

use sconce_core::cpu::Real;
use sconce_kernels::simd::{self, Kernel, Simd, Vector};
use sconce_nn::Activation;

/// An activation whose slope follows from its value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fused {
    Relu,
    Sigmoid,
    Tanh,
}

impl Fused {
    pub(super) fn of(activation: Activation) -> Option<Self> {
        match activation {
            Activation::Relu => Some(Self::Relu),
            Activation::Sigmoid => Some(Self::Sigmoid),
            Activation::Tanh => Some(Self::Tanh),
            _ => None,
        }
    }

    /// y ← f(y)
    pub(super) fn apply<T: Real>(self, y: &mut [T]) {
        simd::dispatch(Apply { fused: self, y });
    }
}

/// dz = dy · f′ from f's values, with f the identity if there is none; gives the sum of dz. Lines of `width` values are
/// written `distance` apart.
pub(super) fn slope<T: Real>(
    fused: Option<Fused>,
    dy: &[T],
    y: &[T],
    dz: &mut [T],
    width: usize,
    distance: usize,
) -> T {
    simd::dispatch(Slope {
        fused,
        dy,
        y,
        dz,
        width,
        distance,
    })
}

struct Apply<'a, T> {
    fused: Fused,
    y: &'a mut [T],
}

impl<T: Real> Kernel for Apply<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let zero = s.splat(T::ZERO);
        for y in self.y.chunks_mut(s.lanes::<T>()) {
            let x = s.load::<T>(y);
            let value = match self.fused {
                // The comparison is false for NaN, which passes.
                Fused::Relu => Vector::select(x.le(zero), zero, x),
                Fused::Sigmoid => x.sigmoid(),
                Fused::Tanh => x.tanh(),
            };
            value.store(y);
        }
    }
}

struct Slope<'a, T> {
    fused: Option<Fused>,
    dy: &'a [T],
    y: &'a [T],
    dz: &'a mut [T],
    width: usize,
    distance: usize,
}

impl<T: Real> Kernel for Slope<'_, T> {
    type Output = T;

    #[inline(always)]
    fn run<S: Simd>(self, s: S) -> T {
        let Self {
            fused,
            dy,
            y,
            dz,
            width,
            distance,
        } = self;
        let (lanes, zero, one) = (s.lanes::<T>(), s.splat(T::ZERO), s.splat(T::ONE));
        let mut sum = zero;
        for (line, (dz, dy)) in dz.chunks_mut(distance).zip(dy.chunks_exact(width)).enumerate() {
            let dz = &mut dz[..width];
            let Some(fused) = fused else {
                for (dz, dy) in dz.chunks_mut(lanes).zip(dy.chunks(lanes)) {
                    let dy = s.load::<T>(dy);
                    dy.store(dz);
                    sum = sum + dy;
                }
                continue;
            };
            let y = &y[line * width..][..width];
            for ((dz, dy), y) in dz.chunks_mut(lanes).zip(dy.chunks(lanes)).zip(y.chunks(lanes)) {
                let (dy, y) = (s.load::<T>(dy), s.load::<T>(y));
                let slope = match fused {
                    Fused::Relu => Vector::select(y.le(zero), zero, dy),
                    Fused::Sigmoid => dy * (y * (one - y)),
                    Fused::Tanh => dy * y.neg_mul_add(y, one),
                };
                slope.store(dz);
                sum = sum + slope;
            }
        }
        sum.sum()
    }
}
