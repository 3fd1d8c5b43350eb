//! x86-64-v3: vectors of 256 bits.

use super::{Kernel, Level, Simd, Vector, sealed::Sealed};
use std::arch::x86_64::*;
use std::ops::{Add, BitAnd, BitOr, BitXor, Div, Mul, Neg, Not, Sub};

/// Proof that the processor has AVX2, FMA, BMI1 and BMI2.
#[derive(Debug, Clone, Copy)]
pub struct Avx2(());

impl Avx2 {
    /// The token, if the processor has the instructions.
    #[inline]
    pub fn new() -> Option<Self> {
        let found = is_x86_feature_detected!("avx2")
            && is_x86_feature_detected!("fma")
            && is_x86_feature_detected!("bmi1")
            && is_x86_feature_detected!("bmi2");
        found.then_some(Self(()))
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

impl Sealed for Avx2 {}

impl Simd for Avx2 {
    const LEVEL: Level = Level::Avx2;
    type F32 = F32x8;
    type F64 = F64x4;

    #[inline(always)]
    fn run<K: Kernel>(self, kernel: K) -> K::Output {
        #[target_feature(enable = "avx2,fma,bmi1,bmi2")]
        fn inner<K: Kernel>(s: Avx2, kernel: K) -> K::Output {
            kernel.run(s)
        }
        // SAFETY: the token proves the features.
        unsafe { inner(self, kernel) }
    }

    #[inline(always)]
    fn prefetch<T>(self, at: *const T) {
        // SAFETY: every x86-64 processor has it, and it never faults.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(at.cast()) }
    }

    #[inline(always)]
    unsafe fn stream_line(self, from: *const u8, to: *mut u8) {
        // SAFETY: the token proves the features; the caller vouches for the addresses.
        unsafe {
            for half in [0, super::LINE / 2] {
                _mm256_stream_si256(to.add(half).cast(), _mm256_loadu_si256(from.add(half).cast()));
            }
        }
    }
}

/// Eight `f32`.
#[derive(Debug, Clone, Copy)]
#[repr(transparent)]
pub struct F32x8(__m256);

/// Four `f64`.
#[derive(Debug, Clone, Copy)]
#[repr(transparent)]
pub struct F64x4(__m256d);

/// All ones or all zeros in each lane.
#[derive(Debug, Clone, Copy)]
pub struct Mask8(__m256);

/// All ones or all zeros in each lane.
#[derive(Debug, Clone, Copy)]
pub struct Mask4(__m256d);

/// Reading on from `LANES − count` gives a mask whose first `count` lanes are set.
static HEAD32: [i32; 16] = [-1, -1, -1, -1, -1, -1, -1, -1, 0, 0, 0, 0, 0, 0, 0, 0];
static HEAD64: [i64; 8] = [-1, -1, -1, -1, 0, 0, 0, 0];

/// Every `unsafe` block in here is sound for one of two reasons: it calls an instruction that the token, or a vector (made
/// from a token only), proves; or it is a pointer access whose contract is the enclosing function's. `count ≤ LANES`
/// there, so that the mask is read from within its table.
macro_rules! vector {
    (
        $name:ident, $elem:ty, $bits:ty, $lanes:literal, $mask:ident, head $head:ident, set $set:ident,
        set_bits $set_bits:ident, load $load:ident, store $store:ident, mask_load $mload:ident,
        mask_store $mstore:ident, add $add:ident, sub $sub:ident, mul $mul:ident, div $div:ident,
        fma $fma:ident, fnma $fnma:ident, min $min:ident, max $max:ident, sqrt $sqrt:ident, round $round:ident,
        cmp $cmp:ident, blend $blend:ident, movemask $movemask:ident, and $and:ident, andnot $andnot:ident,
        or $or:ident, xor $xor:ident, to_int $to_int:ident, from_int $from_int:ident,
        shl $shl:ident, shr $shr:ident, transpose $transpose:ident, bias $bias:expr, magic $magic:expr, mantissa $mantissa:expr
    ) => {
        impl Sealed for $name {}

        impl Vector for $name {
            type Simd = Avx2;
            type Elem = $elem;
            type Mask = $mask;
            const LANES: usize = $lanes;

            #[inline(always)]
            fn token(self) -> Avx2 {
                Avx2(())
            }
            #[inline(always)]
            fn splat(_: Avx2, value: $elem) -> Self {
                Self(unsafe { $set(value) })
            }
            #[inline(always)]
            fn splat_bits(_: Avx2, bits: u64) -> Self {
                Self(unsafe { $from_int($set_bits(bits as $bits)) })
            }
            #[inline(always)]
            unsafe fn load_ptr(_: Avx2, from: *const $elem) -> Self {
                Self(unsafe { $load(from) })
            }
            #[inline(always)]
            unsafe fn store_ptr(self, to: *mut $elem) {
                unsafe { $store(to, self.0) }
            }
            #[inline(always)]
            unsafe fn load_head(_: Avx2, from: *const $elem, count: usize) -> Self {
                Self(unsafe { $mload(from, _mm256_loadu_si256($head.as_ptr().add($lanes - count).cast())) })
            }
            #[inline(always)]
            unsafe fn store_head(self, to: *mut $elem, count: usize) {
                unsafe { $mstore(to, _mm256_loadu_si256($head.as_ptr().add($lanes - count).cast()), self.0) }
            }
            #[inline(always)]
            unsafe fn transpose(_: Avx2, from: *const $elem, from_step: usize, to: *mut $elem, to_step: usize) {
                unsafe {
                    for (i, row) in $transpose(from, from_step).into_iter().enumerate() {
                        $store(to.add(i * to_step), row);
                    }
                }
            }
            #[inline(always)]
            fn mul_add(self, a: Self, b: Self) -> Self {
                Self(unsafe { $fma(self.0, a.0, b.0) })
            }
            #[inline(always)]
            fn neg_mul_add(self, a: Self, b: Self) -> Self {
                Self(unsafe { $fnma(self.0, a.0, b.0) })
            }
            #[inline(always)]
            fn min(self, other: Self) -> Self {
                Self(unsafe { $min(self.0, other.0) })
            }
            #[inline(always)]
            fn max(self, other: Self) -> Self {
                Self(unsafe { $max(self.0, other.0) })
            }
            #[inline(always)]
            fn abs(self) -> Self {
                Self(unsafe { $andnot($set(-0.), self.0) })
            }
            #[inline(always)]
            fn sqrt(self) -> Self {
                Self(unsafe { $sqrt(self.0) })
            }
            #[inline(always)]
            fn round(self) -> Self {
                Self(unsafe { $round::<{ _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC }>(self.0) })
            }
            #[inline(always)]
            fn lt(self, other: Self) -> $mask {
                $mask(unsafe { $cmp::<_CMP_LT_OQ>(self.0, other.0) })
            }
            #[inline(always)]
            fn le(self, other: Self) -> $mask {
                $mask(unsafe { $cmp::<_CMP_LE_OQ>(self.0, other.0) })
            }
            #[inline(always)]
            fn equal(self, other: Self) -> $mask {
                $mask(unsafe { $cmp::<_CMP_EQ_OQ>(self.0, other.0) })
            }
            #[inline(always)]
            fn select(mask: $mask, yes: Self, no: Self) -> Self {
                Self(unsafe { $blend(no.0, yes.0, mask.0) })
            }
            #[inline(always)]
            fn any(mask: $mask) -> bool {
                unsafe { $movemask(mask.0) != 0 }
            }
            #[inline(always)]
            fn shl(self, bits: u32) -> Self {
                Self(unsafe { $from_int($shl($to_int(self.0), _mm_cvtsi32_si128(bits as i32))) })
            }
            #[inline(always)]
            fn shr(self, bits: u32) -> Self {
                Self(unsafe { $from_int($shr($to_int(self.0), _mm_cvtsi32_si128(bits as i32))) })
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
                let mut lanes = [0.; $lanes];
                self.store(&mut lanes);
                crate::simd::portable::tree(lanes, |a, b| a + b)
            }
            #[inline(always)]
            fn largest(self) -> $elem {
                let mut lanes = [0.; $lanes];
                self.store(&mut lanes);
                crate::simd::portable::tree(lanes, |a, b| if a > b { a } else { b })
            }
        }

        vector!(@operator $name, Add, add, $add);
        vector!(@operator $name, Sub, sub, $sub);
        vector!(@operator $name, Mul, mul, $mul);
        vector!(@operator $name, Div, div, $div);
        vector!(@operator $name, BitAnd, bitand, $and);
        vector!(@operator $name, BitOr, bitor, $or);
        vector!(@operator $name, BitXor, bitxor, $xor);
        vector!(@operator $mask, BitAnd, bitand, $and);
        vector!(@operator $mask, BitOr, bitor, $or);

        impl Neg for $name {
            type Output = Self;
            #[inline(always)]
            fn neg(self) -> Self {
                self ^ self.same(-0.)
            }
        }

        impl Not for $mask {
            type Output = Self;
            #[inline(always)]
            fn not(self) -> Self {
                Self(unsafe { $xor(self.0, $from_int(_mm256_set1_epi64x(-1))) })
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
}

vector! {
    F32x8, f32, i32, 8, Mask8, head HEAD32, set _mm256_set1_ps, set_bits _mm256_set1_epi32,
    load _mm256_loadu_ps, store _mm256_storeu_ps, mask_load _mm256_maskload_ps, mask_store _mm256_maskstore_ps,
    add _mm256_add_ps, sub _mm256_sub_ps, mul _mm256_mul_ps, div _mm256_div_ps,
    fma _mm256_fmadd_ps, fnma _mm256_fnmadd_ps, min _mm256_min_ps, max _mm256_max_ps, sqrt _mm256_sqrt_ps,
    round _mm256_round_ps, cmp _mm256_cmp_ps, blend _mm256_blendv_ps, movemask _mm256_movemask_ps,
    and _mm256_and_ps, andnot _mm256_andnot_ps, or _mm256_or_ps, xor _mm256_xor_ps,
    to_int _mm256_castps_si256, from_int _mm256_castsi256_ps, shl _mm256_sll_epi32, shr _mm256_srl_epi32,
    transpose transpose8, bias 127., magic 8388608., mantissa 23
}

vector! {
    F64x4, f64, i64, 4, Mask4, head HEAD64, set _mm256_set1_pd, set_bits _mm256_set1_epi64x,
    load _mm256_loadu_pd, store _mm256_storeu_pd, mask_load _mm256_maskload_pd, mask_store _mm256_maskstore_pd,
    add _mm256_add_pd, sub _mm256_sub_pd, mul _mm256_mul_pd, div _mm256_div_pd,
    fma _mm256_fmadd_pd, fnma _mm256_fnmadd_pd, min _mm256_min_pd, max _mm256_max_pd, sqrt _mm256_sqrt_pd,
    round _mm256_round_pd, cmp _mm256_cmp_pd, blend _mm256_blendv_pd, movemask _mm256_movemask_pd,
    and _mm256_and_pd, andnot _mm256_andnot_pd, or _mm256_or_pd, xor _mm256_xor_pd,
    to_int _mm256_castpd_si256, from_int _mm256_castsi256_pd, shl _mm256_sll_epi64, shr _mm256_srl_epi64,
    transpose transpose4, bias 1023., magic 4503599627370496., mantissa 52
}

/// The columns of an 8×8 matrix. Each group of four columns is loaded so that the halves of a register come from rows
/// four apart; what is left is to transpose 4×4 within the halves.
///
/// # Safety
/// The processor has AVX, and the rows can be read.
#[inline(always)]
unsafe fn transpose8(from: *const f32, step: usize) -> [__m256; 8] {
    // SAFETY: the caller vouches for all of it.
    unsafe {
        let mut columns = [_mm256_setzero_ps(); 8];
        for (g, columns) in columns.chunks_exact_mut(4).enumerate() {
            let mut rows = [_mm256_setzero_ps(); 4];
            for (r, row) in rows.iter_mut().enumerate() {
                let half = |h: usize| from.add((4 * h + r) * step + 4 * g);
                *row = _mm256_castps128_ps256(_mm_loadu_ps(half(0)));
                *row = _mm256_insertf128_ps::<1>(*row, _mm_loadu_ps(half(1)));
            }
            let [a, b, c, d] = rows;
            let (low, high) = (_mm256_unpacklo_ps(a, b), _mm256_unpackhi_ps(a, b));
            let (low, high) = (_mm256_castps_pd(low), _mm256_castps_pd(high));
            let (low2, high2) = (_mm256_unpacklo_ps(c, d), _mm256_unpackhi_ps(c, d));
            let (low2, high2) = (_mm256_castps_pd(low2), _mm256_castps_pd(high2));
            columns[0] = _mm256_castpd_ps(_mm256_unpacklo_pd(low, low2));
            columns[1] = _mm256_castpd_ps(_mm256_unpackhi_pd(low, low2));
            columns[2] = _mm256_castpd_ps(_mm256_unpacklo_pd(high, high2));
            columns[3] = _mm256_castpd_ps(_mm256_unpackhi_pd(high, high2));
        }
        columns
    }
}

/// The columns of a 4×4 matrix, likewise: 2×2 within the halves.
///
/// # Safety
/// The processor has AVX, and the rows can be read.
#[inline(always)]
unsafe fn transpose4(from: *const f64, step: usize) -> [__m256d; 4] {
    // SAFETY: the caller vouches for all of it.
    unsafe {
        let mut columns = [_mm256_setzero_pd(); 4];
        for (g, columns) in columns.chunks_exact_mut(2).enumerate() {
            let mut rows = [_mm256_setzero_pd(); 2];
            for (r, row) in rows.iter_mut().enumerate() {
                let half = |h: usize| from.add((2 * h + r) * step + 2 * g);
                *row = _mm256_castpd128_pd256(_mm_loadu_pd(half(0)));
                *row = _mm256_insertf128_pd::<1>(*row, _mm_loadu_pd(half(1)));
            }
            columns[0] = _mm256_unpacklo_pd(rows[0], rows[1]);
            columns[1] = _mm256_unpackhi_pd(rows[0], rows[1]);
        }
        columns
    }
}
