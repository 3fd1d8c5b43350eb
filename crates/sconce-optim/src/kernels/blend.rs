//! Sums and averages that are kept in place.

use sconce_core::cpu::Real;
use sconce_kernels::parallel;
use sconce_kernels::simd::{Kernel, Simd, Vector, dispatch};

/// What becomes of what is kept, k, when a new value, x, comes.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Blend {
    /// k ← k + a·x
    Add(f64),
    /// k ← k + w·(x − k)
    Towards(f64),
}

/// One pass over both.
pub(crate) fn blend<T: Real>(blend: Blend, kept: &mut [T], x: &[T]) {
    parallel::zip((kept, x), |_, (kept, x)| match blend {
        Blend::Add(by) => dispatch(Add {
            kept,
            x,
            by: T::of(by),
        }),
        // From the nearer end, so that a weight of 1 gives the new value to the bit.
        Blend::Towards(weight) if weight < 0.5 => dispatch(Towards {
            kept,
            x,
            weight: T::of(weight),
            from_new: false,
        }),
        Blend::Towards(weight) => dispatch(Towards {
            kept,
            x,
            weight: T::of(1. - weight),
            from_new: true,
        }),
    });
}

struct Add<'a, T> {
    kept: &'a mut [T],
    x: &'a [T],
    by: T,
}

impl<T: Real> Kernel for Add<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let (by, lanes) = (s.splat(self.by), s.lanes::<T>());
        for (kept, x) in self.kept.chunks_mut(lanes).zip(self.x.chunks(lanes)) {
            s.load::<T>(x).mul_add(by, s.load::<T>(kept)).store(kept);
        }
    }
}

struct Towards<'a, T> {
    kept: &'a mut [T],
    x: &'a [T],
    weight: T,
    from_new: bool,
}

impl<T: Real> Kernel for Towards<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let (weight, lanes) = (s.splat(self.weight), s.lanes::<T>());
        for (kept, x) in self.kept.chunks_mut(lanes).zip(self.x.chunks(lanes)) {
            let (old, new) = (s.load::<T>(kept), s.load::<T>(x));
            let (from, to) = if self.from_new { (new, old) } else { (old, new) };
            (to - from).mul_add(weight, from).store(kept);
        }
    }
}
