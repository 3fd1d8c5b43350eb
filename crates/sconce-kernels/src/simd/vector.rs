//! What a vector can do.

use super::{Simd, sealed::Sealed};
use crate::math::Functions;
use std::fmt::{Debug, Display};
use std::ops::{
    Add, AddAssign, BitAnd, BitOr, BitXor, Div, DivAssign, Mul, MulAssign, Neg, Not, Sub, SubAssign,
};

/// A vector of floating-point numbers, as wide as the instruction set has them.
///
/// Values come from a token, so having one proves that its instructions exist. `min`, `max` and comparisons treat NaN as
/// x86 does: `a.min(b)` and `a.max(b)` are `b` where either is NaN, and a comparison with NaN is false.
pub trait Vector:
    Copy
    + Send
    + Sync
    + Debug
    + Sealed
    + Add<Output = Self>
    + Sub<Output = Self>
    + Mul<Output = Self>
    + Div<Output = Self>
    + Neg<Output = Self>
    + BitAnd<Output = Self>
    + BitOr<Output = Self>
    + BitXor<Output = Self>
{
    /// The token that proves its instructions.
    type Simd: Simd;
    /// What it holds.
    type Elem: Element<Vector<Self::Simd> = Self>;
    /// A truth value for each lane.
    type Mask: Copy + BitAnd<Output = Self::Mask> + BitOr<Output = Self::Mask> + Not<Output = Self::Mask>;
    /// How many.
    const LANES: usize;

    /// The token: this vector proves it.
    fn token(self) -> Self::Simd;
    /// The same value in every lane.
    fn splat(s: Self::Simd, value: Self::Elem) -> Self;
    /// The same bits in every lane (the low ones for `f32`).
    fn splat_bits(s: Self::Simd, bits: u64) -> Self;
    /// `LANES` elements from memory.
    /// # Safety
    /// `from` is valid for reading `LANES` elements.
    unsafe fn load_ptr(s: Self::Simd, from: *const Self::Elem) -> Self;
    /// `LANES` elements to memory.
    /// # Safety
    /// `to` is valid for writing `LANES` elements.
    unsafe fn store_ptr(self, to: *mut Self::Elem);
    /// The first `count < LANES` elements, zeros after them.
    /// # Safety
    /// `from` is valid for reading `count` elements, and `count ≤ LANES`.
    unsafe fn load_head(s: Self::Simd, from: *const Self::Elem, count: usize) -> Self;
    /// Writes the first `count` lanes.
    /// # Safety
    /// `to` is valid for writing `count` elements, and `count ≤ LANES`.
    unsafe fn store_head(self, to: *mut Self::Elem, count: usize);

    /// Transposes `LANES` rows of `LANES` elements, `from_step` and `to_step` apart.
    /// # Safety
    /// `from` is valid for reading those rows, and `to` for writing them.
    #[inline(always)]
    unsafe fn transpose(
        _: Self::Simd,
        from: *const Self::Elem,
        from_step: usize,
        to: *mut Self::Elem,
        to_step: usize,
    ) {
        for i in 0..Self::LANES {
            for j in 0..Self::LANES {
                // SAFETY: within the rows that the caller vouches for.
                unsafe { *to.add(j * to_step + i) = *from.add(i * from_step + j) }
            }
        }
    }

    /// The first elements of a slice; zeros where it is too short.
    #[inline(always)]
    fn load(s: Self::Simd, values: &[Self::Elem]) -> Self {
        // SAFETY: the slice's length bounds what is read.
        unsafe {
            if values.len() >= Self::LANES {
                Self::load_ptr(s, values.as_ptr())
            } else {
                Self::load_head(s, values.as_ptr(), values.len())
            }
        }
    }

    /// Writes the first elements of a slice, as many as there are lanes or room.
    #[inline(always)]
    fn store(self, values: &mut [Self::Elem]) {
        // SAFETY: the slice's length bounds what is written.
        unsafe {
            if values.len() >= Self::LANES {
                self.store_ptr(values.as_mut_ptr());
            } else {
                self.store_head(values.as_mut_ptr(), values.len());
            }
        }
    }

    /// Another vector of the same kind with one value in every lane.
    #[inline(always)]
    fn same(self, value: f64) -> Self {
        Self::splat(self.token(), Self::Elem::of(value))
    }

    /// self·a + b; rounded once where the instruction set has a fused form.
    fn mul_add(self, a: Self, b: Self) -> Self;
    /// b − self·a.
    fn neg_mul_add(self, a: Self, b: Self) -> Self;
    /// The smaller.
    fn min(self, other: Self) -> Self;
    /// The larger.
    fn max(self, other: Self) -> Self;
    /// |self|.
    fn abs(self) -> Self;
    /// √self.
    fn sqrt(self) -> Self;
    /// The nearest integer, ties to even. For |self| < 2²² (`f32`) or 2⁵¹ (`f64`); portable code leaves larger ones alone.
    fn round(self) -> Self;
    /// self < other.
    fn lt(self, other: Self) -> Self::Mask;
    /// self ≤ other.
    fn le(self, other: Self) -> Self::Mask;
    /// self > other.
    #[inline(always)]
    fn gt(self, other: Self) -> Self::Mask {
        other.lt(self)
    }
    /// self ≥ other.
    #[inline(always)]
    fn ge(self, other: Self) -> Self::Mask {
        other.le(self)
    }
    /// self = other; a NaN equals nothing.
    fn equal(self, other: Self) -> Self::Mask;
    /// `yes` where the mask is set, else `no`.
    fn select(mask: Self::Mask, yes: Self, no: Self) -> Self;
    /// Whether the mask is set in any lane.
    fn any(mask: Self::Mask) -> bool;
    /// The bits of every lane shifted left.
    fn shl(self, bits: u32) -> Self;
    /// The bits of every lane shifted right, zeros from the left.
    fn shr(self, bits: u32) -> Self;
    /// self·2ⁿ for integer-valued n, rounded once; |n| may reach twice the exponent's range.
    fn scale(self, n: Self) -> Self;
    /// The sum of all lanes.
    fn sum(self) -> Self::Elem;
    /// The largest lane; whether a NaN shows isn't said.
    fn largest(self) -> Self::Elem;

    /// Its magnitude with the sign of another.
    #[inline(always)]
    fn with_sign_of(self, sign: Self) -> Self {
        let bit = self.same(-0.);
        self.abs() | (sign & bit)
    }

    /// eˣ; see [`math`](crate::math) for the error bounds of this and the following.
    #[inline(always)]
    fn exp(self) -> Self {
        Self::Elem::exp(self)
    }
    /// eˣ − 1, accurate near 0.
    #[inline(always)]
    fn exp_m1(self) -> Self {
        Self::Elem::exp_m1(self)
    }
    /// ln x.
    #[inline(always)]
    fn ln(self) -> Self {
        Self::Elem::ln(self)
    }
    /// ln(1 + x), accurate near 0.
    #[inline(always)]
    fn ln_1p(self) -> Self {
        Self::Elem::ln_1p(self)
    }
    /// tanh x.
    #[inline(always)]
    fn tanh(self) -> Self {
        Self::Elem::tanh(self)
    }
    /// 1 / (1 + e⁻ˣ).
    #[inline(always)]
    fn sigmoid(self) -> Self {
        Self::Elem::sigmoid(self)
    }
    /// The error function.
    #[inline(always)]
    fn erf(self) -> Self {
        Self::Elem::erf(self)
    }
    /// ln(1 + eˣ), without overflow.
    #[inline(always)]
    fn softplus(self) -> Self {
        crate::math::softplus_vector(self)
    }
}

/// What kernels compute with: `f32` and `f64`.
pub trait Element:
    Copy
    + PartialOrd
    + Default
    + Debug
    + Display
    + Send
    + Sync
    + 'static
    + Sealed
    + Functions
    + crate::product::MicroKernels
    + Add<Output = Self>
    + Sub<Output = Self>
    + Mul<Output = Self>
    + Div<Output = Self>
    + Neg<Output = Self>
    + AddAssign
    + SubAssign
    + MulAssign
    + DivAssign
{
    /// The vector of an instruction set.
    type Vector<S: Simd>: Vector<Simd = S, Elem = Self>;
    /// 0.
    const ZERO: Self;
    /// 1.
    const ONE: Self;
    /// −∞.
    const NEG_INFINITY: Self;

    /// The nearest value to an `f64`.
    fn of(value: f64) -> Self;
    /// An integer, rounded if it has more bits than the mantissa.
    fn whole(value: i32) -> Self;
    /// The value as `f64`.
    fn wide(self) -> f64;
    /// √self.
    fn root(self) -> Self;
}

macro_rules! element {
    ($t:ty, $vector:ident) => {
        impl Element for $t {
            type Vector<S: Simd> = S::$vector;
            const ZERO: Self = 0.;
            const ONE: Self = 1.;
            const NEG_INFINITY: Self = <$t>::NEG_INFINITY;

            #[inline(always)]
            fn of(value: f64) -> Self {
                value as $t
            }
            #[inline(always)]
            fn whole(value: i32) -> Self {
                value as $t
            }
            #[inline(always)]
            fn wide(self) -> f64 {
                self.into()
            }
            #[inline(always)]
            fn root(self) -> Self {
                self.sqrt()
            }
        }
    };
}
element!(f32, F32);
element!(f64, F64);
