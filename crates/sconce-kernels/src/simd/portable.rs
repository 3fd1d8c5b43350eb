//! Code for any processor: short arrays, which the compiler turns into what vectors there are.

use super::{Kernel, Level, Simd, Vector, sealed::Sealed};
use std::ops::{Add, BitAnd, BitOr, BitXor, Div, Mul, Neg, Not, Sub};

/// The token that needs no proof.
#[derive(Debug, Clone, Copy, Default)]
pub struct Portable(());

impl Portable {
    /// The token.
    pub fn new() -> Self {
        Self(())
    }

    /// The token, as the other levels' have it.
    ///
    /// # Safety
    /// None is needed.
    #[inline(always)]
    pub(crate) unsafe fn assume() -> Self {
        Self(())
    }
}

impl Sealed for Portable {}

impl Simd for Portable {
    const LEVEL: Level = Level::Portable;
    type F32 = F32x4;
    type F64 = F64x2;

    #[inline(always)]
    fn run<K: Kernel>(self, kernel: K) -> K::Output {
        kernel.run(self)
    }
}

/// Four `f32`.
#[derive(Debug, Clone, Copy)]
#[repr(C, align(16))]
pub struct F32x4([f32; 4]);

/// Two `f64`.
#[derive(Debug, Clone, Copy)]
#[repr(C, align(16))]
pub struct F64x2([f64; 2]);

/// All ones or all zeros in each lane.
#[derive(Debug, Clone, Copy)]
#[repr(C, align(16))]
pub struct Mask<B, const N: usize>([B; N]);

/// Combines lanes pairwise, halves first: the order in which wide registers are folded.
#[inline(always)]
pub(super) fn tree<T: Copy, const N: usize>(mut lanes: [T; N], f: impl Fn(T, T) -> T) -> T {
    let mut n = N;
    while n > 1 {
        n /= 2;
        for i in 0..n {
            lanes[i] = f(lanes[i], lanes[i + n]);
        }
    }
    lanes[0]
}

macro_rules! vector {
    ($name:ident, $elem:ty, $bits:ty, $lanes:literal, bias $bias:expr, magic $magic:expr, mantissa $mantissa:expr) => {
        impl Sealed for $name {}

        impl $name {
            #[inline(always)]
            fn each(self, f: impl Fn($elem) -> $elem) -> Self {
                Self(std::array::from_fn(|i| f(self.0[i])))
            }
            #[inline(always)]
            fn both(self, other: Self, f: impl Fn($elem, $elem) -> $elem) -> Self {
                Self(std::array::from_fn(|i| f(self.0[i], other.0[i])))
            }
            #[inline(always)]
            fn test(self, other: Self, f: impl Fn(&$elem, &$elem) -> bool) -> Mask<$bits, $lanes> {
                Mask(std::array::from_fn(|i| {
                    (f(&self.0[i], &other.0[i]) as $bits).wrapping_neg()
                }))
            }
            #[inline(always)]
            fn bits(self, other: Self, f: impl Fn($bits, $bits) -> $bits) -> Self {
                self.both(other, |a, b| {
                    <$elem>::from_bits(f(a.to_bits(), b.to_bits()))
                })
            }
        }

        impl Vector for $name {
            type Simd = Portable;
            type Elem = $elem;
            type Mask = Mask<$bits, $lanes>;
            const LANES: usize = $lanes;

            #[inline(always)]
            fn token(self) -> Portable {
                Portable(())
            }
            #[inline(always)]
            fn splat(_: Portable, value: $elem) -> Self {
                Self([value; $lanes])
            }
            #[inline(always)]
            fn splat_bits(_: Portable, bits: u64) -> Self {
                Self([<$elem>::from_bits(bits as $bits); $lanes])
            }
            #[inline(always)]
            unsafe fn load_ptr(_: Portable, from: *const $elem) -> Self {
                // SAFETY: the caller vouches for LANES elements; arrays of them may lie at any element's address.
                Self(unsafe { from.cast::<[$elem; $lanes]>().read() })
            }
            #[inline(always)]
            unsafe fn store_ptr(self, to: *mut $elem) {
                // SAFETY: as in `load_ptr`.
                unsafe { to.cast::<[$elem; $lanes]>().write(self.0) }
            }
            #[inline(always)]
            unsafe fn load_head(_: Portable, from: *const $elem, count: usize) -> Self {
                // SAFETY: only elements below `count` are read, which the caller vouches for.
                Self(std::array::from_fn(|i| {
                    if i < count {
                        unsafe { *from.add(i) }
                    } else {
                        0.
                    }
                }))
            }
            #[inline(always)]
            unsafe fn store_head(self, to: *mut $elem, count: usize) {
                for (i, &lane) in self.0.iter().enumerate().take(count) {
                    // SAFETY: i < count, and the caller vouches for `count` elements.
                    unsafe { *to.add(i) = lane }
                }
            }
            #[inline(always)]
            fn mul_add(self, a: Self, b: Self) -> Self {
                self * a + b
            }
            #[inline(always)]
            fn neg_mul_add(self, a: Self, b: Self) -> Self {
                b - self * a
            }
            #[inline(always)]
            fn min(self, other: Self) -> Self {
                self.both(other, |a, b| if a < b { a } else { b })
            }
            #[inline(always)]
            fn max(self, other: Self) -> Self {
                self.both(other, |a, b| if a > b { a } else { b })
            }
            #[inline(always)]
            fn abs(self) -> Self {
                self.each(<$elem>::abs)
            }
            #[inline(always)]
            fn sqrt(self) -> Self {
                self.each(<$elem>::sqrt)
            }
            #[inline(always)]
            fn round(self) -> Self {
                // Adding 1.5·2^mantissa leaves no room for a fraction.
                let shift = self.same(1.5 * $magic);
                let rounded = ((self + shift) - shift).with_sign_of(self);
                Self::select(self.abs().lt(self.same(0.5 * $magic)), rounded, self)
            }
            #[inline(always)]
            fn lt(self, other: Self) -> Self::Mask {
                self.test(other, <$elem>::lt)
            }
            #[inline(always)]
            fn le(self, other: Self) -> Self::Mask {
                self.test(other, <$elem>::le)
            }
            #[inline(always)]
            fn equal(self, other: Self) -> Self::Mask {
                self.test(other, <$elem>::eq)
            }
            #[inline(always)]
            fn select(mask: Self::Mask, yes: Self, no: Self) -> Self {
                let mask = Self(mask.0.map(<$elem>::from_bits));
                yes.bits(mask, |a, b| a & b) | no.bits(mask, |a, b| a & !b)
            }
            #[inline(always)]
            fn any(mask: Self::Mask) -> bool {
                mask.0.iter().any(|&lane| lane != 0)
            }
            #[inline(always)]
            fn shl(self, bits: u32) -> Self {
                self.each(|x| <$elem>::from_bits(x.to_bits() << bits))
            }
            #[inline(always)]
            fn shr(self, bits: u32) -> Self {
                self.each(|x| <$elem>::from_bits(x.to_bits() >> bits))
            }
            #[inline(always)]
            fn scale(self, n: Self) -> Self {
                // Two factors, since one may lie outside the exponent's range; the first product is exact.
                let half = (n * n.same(0.5)).round();
                let power = |n: Self| (n + n.same($bias + $magic)).shl($mantissa);
                self * power(half) * power(n - half)
            }
            #[inline(always)]
            fn sum(self) -> $elem {
                tree(self.0, |a, b| a + b)
            }
            #[inline(always)]
            fn largest(self) -> $elem {
                tree(self.0, |a, b| if a > b { a } else { b })
            }
        }

        impl Add for $name {
            type Output = Self;
            #[inline(always)]
            fn add(self, other: Self) -> Self {
                self.both(other, |a, b| a + b)
            }
        }
        impl Sub for $name {
            type Output = Self;
            #[inline(always)]
            fn sub(self, other: Self) -> Self {
                self.both(other, |a, b| a - b)
            }
        }
        impl Mul for $name {
            type Output = Self;
            #[inline(always)]
            fn mul(self, other: Self) -> Self {
                self.both(other, |a, b| a * b)
            }
        }
        impl Div for $name {
            type Output = Self;
            #[inline(always)]
            fn div(self, other: Self) -> Self {
                self.both(other, |a, b| a / b)
            }
        }
        impl Neg for $name {
            type Output = Self;
            #[inline(always)]
            fn neg(self) -> Self {
                self.each(|x| -x)
            }
        }
        impl BitAnd for $name {
            type Output = Self;
            #[inline(always)]
            fn bitand(self, other: Self) -> Self {
                self.bits(other, |a, b| a & b)
            }
        }
        impl BitOr for $name {
            type Output = Self;
            #[inline(always)]
            fn bitor(self, other: Self) -> Self {
                self.bits(other, |a, b| a | b)
            }
        }
        impl BitXor for $name {
            type Output = Self;
            #[inline(always)]
            fn bitxor(self, other: Self) -> Self {
                self.bits(other, |a, b| a ^ b)
            }
        }
    };
}

vector!(F32x4, f32, u32, 4, bias 127., magic 8388608., mantissa 23);
vector!(F64x2, f64, u64, 2, bias 1023., magic 4503599627370496., mantissa 52);

impl<B: Copy + BitAnd<Output = B>, const N: usize> BitAnd for Mask<B, N> {
    type Output = Self;
    #[inline(always)]
    fn bitand(self, other: Self) -> Self {
        Self(std::array::from_fn(|i| self.0[i] & other.0[i]))
    }
}

impl<B: Copy + BitOr<Output = B>, const N: usize> BitOr for Mask<B, N> {
    type Output = Self;
    #[inline(always)]
    fn bitor(self, other: Self) -> Self {
        Self(std::array::from_fn(|i| self.0[i] | other.0[i]))
    }
}

impl<B: Copy + Not<Output = B>, const N: usize> Not for Mask<B, N> {
    type Output = Self;
    #[inline(always)]
    fn not(self) -> Self {
        Self(self.0.map(|lane| !lane))
    }
}
