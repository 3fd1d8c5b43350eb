//! aarch64's vectors of 128 bits.

use super::{Kernel, Level, Simd, Vector, sealed::Sealed};
use std::arch::aarch64::*;
use std::ops::{Add, BitAnd, BitOr, BitXor, Div, Mul, Neg, Not, Sub};

/// Proof that the processor has NEON.
#[derive(Debug, Clone, Copy)]
pub struct Neon(());

impl Neon {
    /// The token, if the processor has the instructions.
    #[inline]
    pub fn new() -> Option<Self> {
        std::arch::is_aarch64_feature_detected!("neon").then_some(Self(()))
    }

    /// The token, where the instructions are known to be there.
    ///
    /// # Safety
    /// The processor has them.
    #[inline(always)]
    pub(crate) unsafe fn assume() -> Self {
        Self(())
    }
}

impl Sealed for Neon {}

impl Simd for Neon {
    const LEVEL: Level = Level::Neon;
    type F32 = F32x4;
    type F64 = F64x2;

    #[inline(always)]
    fn run<K: Kernel>(self, kernel: K) -> K::Output {
        #[target_feature(enable = "neon")]
        unsafe fn inner<K: Kernel>(s: Neon, kernel: K) -> K::Output {
            kernel.run(s)
        }
        // SAFETY: the token proves the feature.
        unsafe { inner(self, kernel) }
    }
}

/// Four `f32`.
#[derive(Debug, Clone, Copy)]
#[repr(transparent)]
pub struct F32x4(float32x4_t);

/// Two `f64`.
#[derive(Debug, Clone, Copy)]
#[repr(transparent)]
pub struct F64x2(float64x2_t);

/// All ones or all zeros in each lane.
#[derive(Debug, Clone, Copy)]
pub struct Mask4(uint32x4_t);

/// All ones or all zeros in each lane.
#[derive(Debug, Clone, Copy)]
pub struct Mask2(uint64x2_t);

/// Every `unsafe` block in here is sound for one of two reasons: it calls an instruction that the token, or a vector (made
/// from a token only), proves; or it is a pointer access whose contract is the enclosing function's.
macro_rules! vector {
    (
        $name:ident, $elem:ty, $bits:ty, $signed:ty, $lanes:literal, $mask:ident, set $set:ident, set_bits $set_bits:ident,
        set_shift $set_shift:ident, load $load:ident, store $store:ident, add $add:ident, sub $sub:ident, mul $mul:ident,
        div $div:ident, fma $fma:ident, fms $fms:ident, abs $abs:ident, neg $neg:ident, sqrt $sqrt:ident,
        round $round:ident, lt $lt:ident, le $le:ident, eq $eq:ident, select $select:ident,
        and $and:ident, or $or:ident, xor $xor:ident, to_int $to_int:ident, from_int $from_int:ident, shift $shift:ident,
        sum $sum:ident, largest $largest:ident, bias $bias:expr, magic $magic:expr, mantissa $mantissa:expr
    ) => {
        impl Sealed for $name {}

        impl Vector for $name {
            type Simd = Neon;
            type Elem = $elem;
            type Mask = $mask;
            const LANES: usize = $lanes;

            #[inline(always)]
            fn token(self) -> Neon {
                Neon(())
            }
            #[inline(always)]
            fn splat(_: Neon, value: $elem) -> Self {
                Self(unsafe { $set(value) })
            }
            #[inline(always)]
            fn splat_bits(_: Neon, bits: u64) -> Self {
                Self(unsafe { $from_int($set_bits(bits as $bits)) })
            }
            #[inline(always)]
            unsafe fn load_ptr(_: Neon, from: *const $elem) -> Self {
                Self(unsafe { $load(from) })
            }
            #[inline(always)]
            unsafe fn store_ptr(self, to: *mut $elem) {
                unsafe { $store(to, self.0) }
            }
            #[inline(always)]
            unsafe fn load_head(s: Neon, from: *const $elem, count: usize) -> Self {
                let mut lanes = [0.; $lanes];
                unsafe {
                    std::ptr::copy_nonoverlapping(from, lanes.as_mut_ptr(), count);
                    Self::load_ptr(s, lanes.as_ptr())
                }
            }
            #[inline(always)]
            unsafe fn store_head(self, to: *mut $elem, count: usize) {
                let mut lanes = [0.; $lanes];
                unsafe {
                    self.store_ptr(lanes.as_mut_ptr());
                    std::ptr::copy_nonoverlapping(lanes.as_ptr(), to, count);
                }
            }
            #[inline(always)]
            fn mul_add(self, a: Self, b: Self) -> Self {
                Self(unsafe { $fma(b.0, self.0, a.0) })
            }
            #[inline(always)]
            fn neg_mul_add(self, a: Self, b: Self) -> Self {
                Self(unsafe { $fms(b.0, self.0, a.0) })
            }
            #[inline(always)]
            fn min(self, other: Self) -> Self {
                Self::select(self.lt(other), self, other)
            }
            #[inline(always)]
            fn max(self, other: Self) -> Self {
                Self::select(other.lt(self), self, other)
            }
            #[inline(always)]
            fn abs(self) -> Self {
                Self(unsafe { $abs(self.0) })
            }
            #[inline(always)]
            fn sqrt(self) -> Self {
                Self(unsafe { $sqrt(self.0) })
            }
            #[inline(always)]
            fn round(self) -> Self {
                Self(unsafe { $round(self.0) })
            }
            #[inline(always)]
            fn lt(self, other: Self) -> $mask {
                $mask(unsafe { $lt(self.0, other.0) })
            }
            #[inline(always)]
            fn le(self, other: Self) -> $mask {
                $mask(unsafe { $le(self.0, other.0) })
            }
            #[inline(always)]
            fn equal(self, other: Self) -> $mask {
                $mask(unsafe { $eq(self.0, other.0) })
            }
            #[inline(always)]
            fn select(mask: $mask, yes: Self, no: Self) -> Self {
                Self(unsafe { $select(mask.0, yes.0, no.0) })
            }
            #[inline(always)]
            fn any(mask: $mask) -> bool {
                unsafe { vmaxvq_u32(vreinterpretq_u32_u8(std::mem::transmute::<_, uint8x16_t>(mask.0))) != 0 }
            }
            #[inline(always)]
            fn shl(self, bits: u32) -> Self {
                Self(unsafe { $from_int($shift($to_int(self.0), $set_shift(bits as $signed))) })
            }
            #[inline(always)]
            fn shr(self, bits: u32) -> Self {
                Self(unsafe { $from_int($shift($to_int(self.0), $set_shift(-(bits as $signed)))) })
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
                unsafe { $sum(self.0) }
            }
            #[inline(always)]
            fn largest(self) -> $elem {
                unsafe { $largest(self.0) }
            }
        }

        vector!(@operator $name, Add, add, $add);
        vector!(@operator $name, Sub, sub, $sub);
        vector!(@operator $name, Mul, mul, $mul);
        vector!(@operator $name, Div, div, $div);
        vector!(@bits $name, BitAnd, bitand, $and, $to_int, $from_int);
        vector!(@bits $name, BitOr, bitor, $or, $to_int, $from_int);
        vector!(@bits $name, BitXor, bitxor, $xor, $to_int, $from_int);
        vector!(@operator $mask, BitAnd, bitand, $and);
        vector!(@operator $mask, BitOr, bitor, $or);

        impl Neg for $name {
            type Output = Self;
            #[inline(always)]
            fn neg(self) -> Self {
                Self(unsafe { $neg(self.0) })
            }
        }

        impl Not for $mask {
            type Output = Self;
            #[inline(always)]
            fn not(self) -> Self {
                Self(unsafe { $xor(self.0, $set_bits(<$bits>::MAX)) })
            }
        }
    };
    (@operator $name:ident, $trait:ident, $method:ident, $instruction:ident) => {
        impl $trait for $name {
            type Output = Self;
            #[inline(always)]
            fn $method(self, other: Self) -> Self {
                Self(unsafe { $instruction(self.0, other.0) })
            }
        }
    };
    (@bits $name:ident, $trait:ident, $method:ident, $instruction:ident, $to_int:ident, $from_int:ident) => {
        impl $trait for $name {
            type Output = Self;
            #[inline(always)]
            fn $method(self, other: Self) -> Self {
                Self(unsafe { $from_int($instruction($to_int(self.0), $to_int(other.0))) })
            }
        }
    };
}

vector! {
    F32x4, f32, u32, i32, 4, Mask4, set vdupq_n_f32, set_bits vdupq_n_u32, set_shift vdupq_n_s32, load vld1q_f32,
    store vst1q_f32, add vaddq_f32, sub vsubq_f32, mul vmulq_f32, div vdivq_f32, fma vfmaq_f32, fms vfmsq_f32,
    abs vabsq_f32, neg vnegq_f32, sqrt vsqrtq_f32, round vrndnq_f32, lt vcltq_f32, le vcleq_f32, eq vceqq_f32,
    select vbslq_f32, and vandq_u32, or vorrq_u32, xor veorq_u32, to_int vreinterpretq_u32_f32,
    from_int vreinterpretq_f32_u32, shift vshlq_u32, sum vaddvq_f32, largest vmaxvq_f32,
    bias 127., magic 8388608., mantissa 23
}

vector! {
    F64x2, f64, u64, i64, 2, Mask2, set vdupq_n_f64, set_bits vdupq_n_u64, set_shift vdupq_n_s64, load vld1q_f64,
    store vst1q_f64, add vaddq_f64, sub vsubq_f64, mul vmulq_f64, div vdivq_f64, fma vfmaq_f64, fms vfmsq_f64,
    abs vabsq_f64, neg vnegq_f64, sqrt vsqrtq_f64, round vrndnq_f64, lt vcltq_f64, le vcleq_f64, eq vceqq_f64,
    select vbslq_f64, and vandq_u64, or vorrq_u64, xor veorq_u64, to_int vreinterpretq_u64_f64,
    from_int vreinterpretq_f64_u64, shift vshlq_u64, sum vaddvq_f64, largest vmaxvq_f64,
    bias 1023., magic 4503599627370496., mantissa 52
}
