//! exp, ln, tanh, sigmoid, erf and their kin, a vector at a time.
//!
//! On vectors they are methods ([`Vector::exp`] and so on); here they run over slices, in
//! parallel where that pays. Errors in units in the last place, the largest that the tests' sweep finds at any level,
//! rounded up; the tests fail beyond these:
//!
//! | function | `f32` | `f64` |
//! |---|---|---|
//! | exp | 1.0 | 1.0 |
//! | exp_m1 | 1.5 | 1.5 |
//! | ln | 1.0 | 1.0 |
//! | ln_1p | 1.5 | 1.5 |
//! | tanh | 2.5 | 2.0 |
//! | sigmoid | 2.0 | 2.0 |
//! | erf | 1.5 | 1.5 |
//! | softplus | 2.0 | 2.0 |
//!
//! Infinities, NaN, signed zeros, overflow and gradual underflow come out as the standard library has them.
//!
//! Every polynomial is a minimax fit (Remez's algorithm, 50 digits) of the function named beside it, so its own error
//! lies far below the last place; what remains is rounding.

mod algorithm;
mod constants;

use crate::parallel;
use crate::simd::{self, Element, Kernel, Simd, Vector};
pub(crate) use algorithm::softplus as softplus_vector;

/// What an element type's vectors compute: the methods of [`Vector`] end here.
#[doc(hidden)]
pub trait Functions: Sized {
    fn exp<V: Vector<Elem = Self>>(x: V) -> V;
    fn exp_m1<V: Vector<Elem = Self>>(x: V) -> V;
    fn ln<V: Vector<Elem = Self>>(x: V) -> V;
    fn ln_1p<V: Vector<Elem = Self>>(x: V) -> V;
    fn tanh<V: Vector<Elem = Self>>(x: V) -> V;
    fn sigmoid<V: Vector<Elem = Self>>(x: V) -> V;
    fn erf<V: Vector<Elem = Self>>(x: V) -> V;
}

macro_rules! functions {
    ($t:ty; $($name:ident),*) => {
        impl Functions for $t {
            $(
                #[inline(always)]
                fn $name<V: Vector<Elem = Self>>(x: V) -> V {
                    algorithm::$name(x)
                }
            )*
        }
    };
}
functions!(f32; exp, exp_m1, ln, ln_1p, tanh, sigmoid, erf);
functions!(f64; exp, exp_m1, ln, ln_1p, tanh, sigmoid, erf);

macro_rules! over_slices {
    ($($(#[$doc:meta])* $name:ident;)*) => {
        $(
            $(#[$doc])*
            ///
            /// # Panics
            /// The slices differ in length.
            pub fn $name<T: Element>(out: &mut [T], x: &[T]) {
                struct Loop<'a, T>(&'a mut [T], &'a [T]);
                impl<T: Element> Kernel for Loop<'_, T> {
                    type Output = ();
                    #[inline(always)]
                    fn run<S: Simd>(self, s: S) {
                        simd::map1(s, self.0, self.1, #[inline(always)] |x: T::Vector<S>| x.$name());
                    }
                }
                parallel::zip((out, x), |_, (out, x)| simd::dispatch(Loop(out, x)));
            }
        )*
    };
}

over_slices! {
    /// out\[i\] = eˣ.
    ///
    /// ```
    /// let mut y = [0f32; 3];
    /// sconce_kernels::math::exp(&mut y, &[0., 1., f32::NEG_INFINITY]);
    /// assert_eq!(y, [1., 2.7182817, 0.]);
    /// ```
    exp;
    /// out\[i\] = eˣ − 1.
    exp_m1;
    /// out\[i\] = ln x.
    ln;
    /// out\[i\] = ln(1 + x).
    ln_1p;
    /// out\[i\] = tanh x.
    tanh;
    /// out\[i\] = 1 / (1 + e⁻ˣ).
    sigmoid;
    /// out\[i\] = erf x.
    erf;
    /// out\[i\] = ln(1 + eˣ).
    softplus;
}

/// erf of one number.
pub fn erf_f64(x: f64) -> f64 {
    let mut y = [0.];
    erf(&mut y, &[x]);
    y[0]
}

#[cfg(test)]
mod tests;
