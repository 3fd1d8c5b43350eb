//! x86-64-v4: vectors of 512 bits, masks in registers of their own.

use super::{Kernel, Level, Simd, Vector, sealed::Sealed};
use std::arch::x86_64::*;
use std::ops::{Add, BitAnd, BitOr, BitXor, Div, Mul, Neg, Sub};

/// Proof that the processor has AVX-512 F, BW, CD, DQ and VL, and AVX2 and FMA.
#[derive(Debug, Clone, Copy)]
pub struct Avx512(());

impl Avx512 {
    /// The token, if the processor has the instructions.
    #[inline]
    pub fn new() -> Option<Self> {
        let found = is_x86_feature_detected!("avx512f")
            && is_x86_feature_detected!("avx512bw")
            && is_x86_feature_detected!("avx512cd")
            && is_x86_feature_detected!("avx512dq")
            && is_x86_feature_detected!("avx512vl")
            && is_x86_feature_detected!("avx2")
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

impl Sealed for Avx512 {}

impl Simd for Avx512 {
    const LEVEL: Level = Level::Avx512;
    type F32 = F32x16;
    type F64 = F64x8;

    #[inline(always)]
    fn run<K: Kernel>(self, kernel: K) -> K::Output {
        #[target_feature(enable = "avx512f,avx512bw,avx512cd,avx512dq,avx512vl,avx2,fma,bmi1,bmi2")]
        fn inner<K: Kernel>(s: Avx512, kernel: K) -> K::Output {
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
        unsafe { _mm512_stream_si512(to.cast(), _mm512_loadu_si512(from.cast())) }
    }
}

/// Sixteen `f32`.
#[derive(Debug, Clone, Copy)]
#[repr(transparent)]
pub struct F32x16(__m512);

/// Eight `f64`.
#[derive(Debug, Clone, Copy)]
#[repr(transparent)]
pub struct F64x8(__m512d);

/// Every `unsafe` block in here is sound for one of two reasons: it calls an instruction that the token, or a vector (made
/// from a token only), proves; or it is a pointer access whose contract is the enclosing function's.
macro_rules! vector {
    (
        $name:ident, $elem:ty, $bits:ty, $lanes:literal, $mask:ty, set $set:ident, set_bits $set_bits:ident,
        load $load:ident, store $store:ident, maskz_load $mload:ident, mask_store $mstore:ident,
        add $add:ident, sub $sub:ident, mul $mul:ident, div $div:ident,
        fma $fma:ident, fnma $fnma:ident, min $min:ident, max $max:ident, abs $abs:ident, sqrt $sqrt:ident,
        round $round:ident, cmp $cmp:ident, blend $blend:ident,
        and $and:ident, or $or:ident, xor $xor:ident, to_int $to_int:ident, from_int $from_int:ident,
        shl $shl:ident, shr $shr:ident, scale $scale:ident, sum $sum:ident, largest $largest:ident,
        transpose $transpose:ident
    ) => {
        impl Sealed for $name {}

        impl Vector for $name {
            type Simd = Avx512;
            type Elem = $elem;
            type Mask = $mask;
            const LANES: usize = $lanes;

            #[inline(always)]
            fn token(self) -> Avx512 {
                Avx512(())
            }
            #[inline(always)]
            fn splat(_: Avx512, value: $elem) -> Self {
                Self(unsafe { $set(value) })
            }
            #[inline(always)]
            fn splat_bits(_: Avx512, bits: u64) -> Self {
                Self(unsafe { $from_int($set_bits(bits as $bits)) })
            }
            #[inline(always)]
            unsafe fn load_ptr(_: Avx512, from: *const $elem) -> Self {
                Self(unsafe { $load(from) })
            }
            #[inline(always)]
            unsafe fn store_ptr(self, to: *mut $elem) {
                unsafe { $store(to, self.0) }
            }
            #[inline(always)]
            unsafe fn load_head(_: Avx512, from: *const $elem, count: usize) -> Self {
                Self(unsafe { $mload(((1u32 << count) - 1) as $mask, from) })
            }
            #[inline(always)]
            unsafe fn store_head(self, to: *mut $elem, count: usize) {
                unsafe { $mstore(to, ((1u32 << count) - 1) as $mask, self.0) }
            }
            #[inline(always)]
            unsafe fn transpose(_: Avx512, from: *const $elem, from_step: usize, to: *mut $elem, to_step: usize) {
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
                Self(unsafe { $abs(self.0) })
            }
            #[inline(always)]
            fn sqrt(self) -> Self {
                Self(unsafe { $sqrt(self.0) })
            }
            #[inline(always)]
            fn round(self) -> Self {
                Self(unsafe { $round::<0>(self.0) })
            }
            #[inline(always)]
            fn lt(self, other: Self) -> $mask {
                unsafe { $cmp::<_CMP_LT_OQ>(self.0, other.0) }
            }
            #[inline(always)]
            fn le(self, other: Self) -> $mask {
                unsafe { $cmp::<_CMP_LE_OQ>(self.0, other.0) }
            }
            #[inline(always)]
            fn equal(self, other: Self) -> $mask {
                unsafe { $cmp::<_CMP_EQ_OQ>(self.0, other.0) }
            }
            #[inline(always)]
            fn select(mask: $mask, yes: Self, no: Self) -> Self {
                Self(unsafe { $blend(mask, no.0, yes.0) })
            }
            #[inline(always)]
            fn any(mask: $mask) -> bool {
                mask != 0
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
                Self(unsafe { $scale(self.0, n.0) })
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
        vector!(@operator $name, BitAnd, bitand, $and);
        vector!(@operator $name, BitOr, bitor, $or);
        vector!(@operator $name, BitXor, bitxor, $xor);

        impl Neg for $name {
            type Output = Self;
            #[inline(always)]
            fn neg(self) -> Self {
                self ^ self.same(-0.)
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
    F32x16, f32, i32, 16, __mmask16, set _mm512_set1_ps, set_bits _mm512_set1_epi32,
    load _mm512_loadu_ps, store _mm512_storeu_ps, maskz_load _mm512_maskz_loadu_ps, mask_store _mm512_mask_storeu_ps,
    add _mm512_add_ps, sub _mm512_sub_ps, mul _mm512_mul_ps, div _mm512_div_ps,
    fma _mm512_fmadd_ps, fnma _mm512_fnmadd_ps, min _mm512_min_ps, max _mm512_max_ps, abs _mm512_abs_ps,
    sqrt _mm512_sqrt_ps, round _mm512_roundscale_ps, cmp _mm512_cmp_ps_mask, blend _mm512_mask_blend_ps,
    and _mm512_and_ps, or _mm512_or_ps, xor _mm512_xor_ps, to_int _mm512_castps_si512, from_int _mm512_castsi512_ps,
    shl _mm512_sll_epi32, shr _mm512_srl_epi32, scale _mm512_scalef_ps, sum _mm512_reduce_add_ps,
    largest _mm512_reduce_max_ps, transpose transpose16
}

vector! {
    F64x8, f64, i64, 8, __mmask8, set _mm512_set1_pd, set_bits _mm512_set1_epi64,
    load _mm512_loadu_pd, store _mm512_storeu_pd, maskz_load _mm512_maskz_loadu_pd, mask_store _mm512_mask_storeu_pd,
    add _mm512_add_pd, sub _mm512_sub_pd, mul _mm512_mul_pd, div _mm512_div_pd,
    fma _mm512_fmadd_pd, fnma _mm512_fnmadd_pd, min _mm512_min_pd, max _mm512_max_pd, abs _mm512_abs_pd,
    sqrt _mm512_sqrt_pd, round _mm512_roundscale_pd, cmp _mm512_cmp_pd_mask, blend _mm512_mask_blend_pd,
    and _mm512_and_pd, or _mm512_or_pd, xor _mm512_xor_pd, to_int _mm512_castpd_si512, from_int _mm512_castsi512_pd,
    shl _mm512_sll_epi64, shr _mm512_srl_epi64, scale _mm512_scalef_pd, sum _mm512_reduce_add_pd,
    largest _mm512_reduce_max_pd, transpose transpose8
}

/// The columns of a 16×16 matrix. Each group of four columns is loaded so that the quarters of a register come from rows
/// four apart; what is left is to transpose 4×4 within the quarters.
///
/// # Safety
/// The processor has AVX-512 F, and the rows can be read.
#[inline(always)]
unsafe fn transpose16(from: *const f32, step: usize) -> [__m512; 16] {
    // SAFETY: the caller vouches for all of it.
    unsafe {
        let mut columns = [_mm512_setzero_ps(); 16];
        for (g, columns) in columns.chunks_exact_mut(4).enumerate() {
            let mut rows = [_mm512_setzero_ps(); 4];
            for (r, row) in rows.iter_mut().enumerate() {
                let quarter = |q: usize| from.add((4 * q + r) * step + 4 * g);
                *row = _mm512_castps128_ps512(_mm_loadu_ps(quarter(0)));
                *row = _mm512_insertf32x4::<1>(*row, _mm_loadu_ps(quarter(1)));
                *row = _mm512_insertf32x4::<2>(*row, _mm_loadu_ps(quarter(2)));
                *row = _mm512_insertf32x4::<3>(*row, _mm_loadu_ps(quarter(3)));
            }
            let [a, b, c, d] = rows;
            let (low, high) = (_mm512_unpacklo_ps(a, b), _mm512_unpackhi_ps(a, b));
            let (low, high) = (_mm512_castps_pd(low), _mm512_castps_pd(high));
            let (low2, high2) = (_mm512_unpacklo_ps(c, d), _mm512_unpackhi_ps(c, d));
            let (low2, high2) = (_mm512_castps_pd(low2), _mm512_castps_pd(high2));
            columns[0] = _mm512_castpd_ps(_mm512_unpacklo_pd(low, low2));
            columns[1] = _mm512_castpd_ps(_mm512_unpackhi_pd(low, low2));
            columns[2] = _mm512_castpd_ps(_mm512_unpacklo_pd(high, high2));
            columns[3] = _mm512_castpd_ps(_mm512_unpackhi_pd(high, high2));
        }
        columns
    }
}

/// The columns of an 8×8 matrix, likewise: 2×2 within the quarters.
///
/// # Safety
/// The processor has AVX-512 F, and the rows can be read.
#[inline(always)]
unsafe fn transpose8(from: *const f64, step: usize) -> [__m512d; 8] {
    // SAFETY: the caller vouches for all of it.
    unsafe {
        let mut columns = [_mm512_setzero_pd(); 8];
        for (g, columns) in columns.chunks_exact_mut(2).enumerate() {
            let mut rows = [_mm512_setzero_pd(); 2];
            for (r, row) in rows.iter_mut().enumerate() {
                let quarter = |q: usize| from.add((2 * q + r) * step + 2 * g);
                *row = _mm512_castpd128_pd512(_mm_loadu_pd(quarter(0)));
                *row = _mm512_insertf64x2::<1>(*row, _mm_loadu_pd(quarter(1)));
                *row = _mm512_insertf64x2::<2>(*row, _mm_loadu_pd(quarter(2)));
                *row = _mm512_insertf64x2::<3>(*row, _mm_loadu_pd(quarter(3)));
            }
            columns[0] = _mm512_unpacklo_pd(rows[0], rows[1]);
            columns[1] = _mm512_unpackhi_pd(rows[0], rows[1]);
        }
        columns
    }
}
