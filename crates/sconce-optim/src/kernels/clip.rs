//! What clipping does to gradients: how large they are, and what is made of them.

use super::sums::{largest, squares};
use sconce_core::cpu::Real;
use sconce_kernels::parallel::{self, BlankPart};
use sconce_kernels::simd::{Kernel, Simd, Vector, dispatch};

/// Which norm is measured.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Order {
    /// Σ|x|
    One,
    /// Σx²
    Two,
    /// max |x|
    Infinity,
    /// Σ|x|ᵖ
    Other(f64),
}

impl Order {
    /// What two stretches' measures make together; NaN if one is.
    pub(crate) fn join(self, a: f64, b: f64) -> f64 {
        match self {
            Self::Infinity if a.is_nan() || b.is_nan() => f64::NAN,
            Self::Infinity => a.max(b),
            _ => a + b,
        }
    }

    /// The norm, from all stretches' measure.
    pub(crate) fn finish(self, all: f64) -> f64 {
        match self {
            Self::One | Self::Infinity => all,
            Self::Two => all.sqrt(),
            Self::Other(p) => all.powf(1. / p),
        }
    }
}

/// A stretch's measure: the sum or the maximum that the norm is made of.
pub(crate) fn measure<T: Real>(order: Order, x: &[T]) -> f64 {
    let slow = |f: fn(f64) -> f64| x.iter().map(|x| f(x.wide())).sum::<f64>();
    match order {
        Order::One => slow(f64::abs),
        Order::Two => {
            // In `f32` the squares may overflow, or vanish, where their sum's root does not.
            let fast = squares(x).wide();
            match fast.is_normal() && fast > 1e-30 {
                true => fast,
                false => slow(|x| x * x),
            }
        }
        Order::Infinity => largest(x),
        Order::Other(p) => x.iter().map(|x| x.wide().abs().powf(p)).sum(),
    }
}

/// What is made of a gradient.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Change {
    /// Every element times this.
    Scale(f64),
    /// Every element brought between minus this and this; a NaN stays one.
    Clamp(f64),
}

/// A changed copy.
pub(crate) fn changed<T: Real>(change: Change, x: &[T]) -> Vec<T> {
    parallel::fresh(x.len(), |y| {
        parallel::zip((y, x), |_, (y, x)| match change {
            Change::Scale(by) => dispatch(Scale { y, x, by: T::of(by) }),
            Change::Clamp(to) => dispatch(Clamp { y, x, to: T::of(to) }),
        });
    })
}

struct Scale<'a, T: 'static> {
    y: BlankPart<'a, T>,
    x: &'a [T],
    by: T,
}

impl<T: Real> Kernel for Scale<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(mut self, s: S) {
        let by = s.splat(self.by);
        self.y.map1(
            s,
            self.x,
            #[inline(always)]
            |x| x * by,
        );
    }
}

struct Clamp<'a, T: 'static> {
    y: BlankPart<'a, T>,
    x: &'a [T],
    to: T,
}

impl<T: Real> Kernel for Clamp<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(mut self, s: S) {
        let (high, low) = (s.splat(self.to), s.splat(-self.to));
        self.y.map1(
            s,
            self.x,
            // The second operand is what comes of a NaN.
            #[inline(always)]
            |x| high.min(low.max(x)),
        );
    }
}
