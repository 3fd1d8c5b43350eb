//! The micro-kernels: a few rows times one panel, the sums in registers.

#[cfg(target_arch = "aarch64")]
use crate::simd::Neon;
#[cfg(target_arch = "x86_64")]
use crate::simd::{Avx2, Avx512};
use crate::simd::{Element, Level, Portable, Vector};

/// A kernel's operands.
///
/// Adds `A[i, p]·B[p, j]` for all p < k to what starts at `start` (0 if null) and writes the sums to `c`. `step` is from
/// one row of A to the next where columns are contiguous, and from one column to the next where rows are.
#[derive(Debug, Clone, Copy)]
pub(super) struct Tile<T> {
    pub(super) k: usize,
    pub(super) a: *const T,
    pub(super) step: usize,
    pub(super) b: *const T,
    /// From one row of B to the next: a panel's width, or more where B is read where it lies.
    pub(super) b_step: usize,
    pub(super) start: *const T,
    pub(super) start_step: usize,
    pub(super) c: *mut T,
    pub(super) c_step: usize,
}

/// A level's kernels.
#[derive(Debug)]
#[doc(hidden)]
pub struct Kernels<T: 'static> {
    /// Columns of a panel.
    pub(super) width: usize,
    /// For a left operand whose rows are contiguous; entry i takes i + 1 rows.
    pub(super) by_rows: &'static [unsafe fn(Tile<T>)],
    /// For one whose columns are.
    pub(super) by_cols: &'static [unsafe fn(Tile<T>)],
}

/// The micro-kernels of an element type.
#[doc(hidden)]
pub trait MicroKernels: Sized + 'static {
    /// A level's, or the portable ones where the processor lacks the level.
    fn kernels(level: Level) -> &'static Kernels<Self>;
}

/// # Safety
/// The pointers are valid for R rows, k columns of A, k rows of a panel, and R rows of V·N columns of start and C.
#[inline(always)]
unsafe fn tile<V: Vector, const R: usize, const N: usize, const BY_ROWS: bool>(s: V::Simd, t: Tile<V::Elem>) {
    // SAFETY: all accesses are those that the caller vouches for.
    unsafe {
        let mut sums = [[V::splat(s, V::Elem::ZERO); N]; R];
        if !t.start.is_null() {
            for (i, row) in sums.iter_mut().enumerate() {
                for (j, sum) in row.iter_mut().enumerate() {
                    *sum = V::load_ptr(s, t.start.add(i * t.start_step + j * V::LANES));
                }
            }
        }
        for p in 0..t.k {
            let mut b = [sums[0][0]; N];
            for (j, b) in b.iter_mut().enumerate() {
                *b = V::load_ptr(s, t.b.add(p * t.b_step + j * V::LANES));
            }
            for (i, row) in sums.iter_mut().enumerate() {
                let a = if BY_ROWS {
                    t.a.add(i * t.step + p)
                } else {
                    t.a.add(p * t.step + i)
                };
                let a = V::splat(s, *a);
                for (sum, &b) in row.iter_mut().zip(&b) {
                    *sum = a.mul_add(b, *sum);
                }
            }
        }
        for (i, row) in sums.iter().enumerate() {
            for (j, sum) in row.iter().enumerate() {
                sum.store_ptr(t.c.add(i * t.c_step + j * V::LANES));
            }
        }
    }
}

/// The function of a level, and its table for an element type.
macro_rules! kernels {
    ($entry:ident, $token:ty, $(features $features:literal,)? vectors $vectors:literal, $f32:ident, $f64:ident, $rows:tt) => {
        /// # Safety
        /// As [`tile`]; and the processor has the features.
        $(#[target_feature(enable = $features)])?
        unsafe fn $entry<T: Element, const R: usize, const BY_ROWS: bool>(t: Tile<T>) {
            // SAFETY: the caller vouches for the features and the pointers.
            unsafe { tile::<T::Vector<$token>, R, $vectors, BY_ROWS>(<$token>::assume(), t) }
        }
        kernels!(@table $entry, $token, $vectors, f32, $f32, $rows);
        kernels!(@table $entry, $token, $vectors, f64, $f64, $rows);
    };
    (@table $entry:ident, $token:ty, $vectors:literal, $t:ty, $name:ident, [$($r:literal)*]) => {
        static $name: Kernels<$t> = Kernels {
            width: $vectors * <<$t as Element>::Vector<$token> as Vector>::LANES,
            by_rows: &[$($entry::<$t, $r, true>),*],
            by_cols: &[$($entry::<$t, $r, false>),*],
        };
    };
}

kernels!(portable, Portable, vectors 2, PORTABLE_F32, PORTABLE_F64, [1 2 3 4]);
#[cfg(target_arch = "x86_64")]
kernels!(avx2, Avx2, features "avx2,fma,bmi1,bmi2", vectors 2, AVX2_F32, AVX2_F64, [1 2 3 4 5 6]);
#[cfg(target_arch = "x86_64")]
kernels!(
    avx512, Avx512, features "avx512f,avx512bw,avx512cd,avx512dq,avx512vl,avx2,fma,bmi1,bmi2", vectors 2,
    AVX512_F32, AVX512_F64, [1 2 3 4 5 6 7 8 9 10 11 12]
);
#[cfg(target_arch = "aarch64")]
kernels!(neon, Neon, features "neon", vectors 3, NEON_F32, NEON_F64, [1 2 3 4 5 6 7 8]);

macro_rules! micro_kernels {
    ($t:ty, $portable:ident, $avx2:ident, $avx512:ident, $neon:ident) => {
        impl MicroKernels for $t {
            fn kernels(level: Level) -> &'static Kernels<Self> {
                match level {
                    #[cfg(target_arch = "x86_64")]
                    Level::Avx512 if Avx512::new().is_some() => &$avx512,
                    #[cfg(target_arch = "x86_64")]
                    Level::Avx2 if Avx2::new().is_some() => &$avx2,
                    #[cfg(target_arch = "aarch64")]
                    Level::Neon if Neon::new().is_some() => &$neon,
                    _ => &$portable,
                }
            }
        }
    };
}
micro_kernels!(f32, PORTABLE_F32, AVX2_F32, AVX512_F32, NEON_F32);
micro_kernels!(f64, PORTABLE_F64, AVX2_F64, AVX512_F64, NEON_F64);
