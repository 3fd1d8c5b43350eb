//! One kernel, every instruction set: vectors, and the choice between them at run time.
//!
//! A [`Kernel`] is written once, generic over [`Simd`]; [`dispatch`] runs it with the best instruction set that the
//! processor has. A token (`S: Simd`) can only be made where its instructions exist, and a [`Vector`] only from a token,
//! so that everything here is safe to call.
//!
//! ```
//! use sconce_kernels::simd::{self, Element, Kernel, Simd, Vector};
//!
//! /// y ← a·x + y
//! struct Axpy<'a, T> { a: T, x: &'a [T], y: &'a mut [T] }
//!
//! impl<T: Element> Kernel for Axpy<'_, T> {
//!     type Output = ();
//!     #[inline(always)]
//!     fn run<S: Simd>(self, s: S) {
//!         let a = s.splat(self.a);
//!         let lanes = s.lanes::<T>();
//!         for (y, x) in self.y.chunks_mut(lanes).zip(self.x.chunks(lanes)) {
//!             s.load::<T>(x).mul_add(a, s.load::<T>(y)).store(y);
//!         }
//!     }
//! }
//!
//! let mut y = vec![1f32; 21];
//! simd::dispatch(Axpy { a: 2., x: &[3.; 21], y: &mut y });
//! assert_eq!(y, [7.; 21]);
//! ```
//!
//! What `run` calls must be `#[inline(always)]` (closures included: `#[inline(always)] |x| …` as an argument), else it is
//! compiled without the instruction set: right, but slow. Plain loops inside `run` are vectorised by the compiler with
//! the instructions of the level.

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
mod level;
mod map;
#[cfg(target_arch = "aarch64")]
mod neon;
mod portable;
mod vector;

#[cfg(target_arch = "x86_64")]
pub use avx2::Avx2;
#[cfg(target_arch = "x86_64")]
pub use avx512::Avx512;
pub use level::{Level, level, with_level};
pub(crate) use level::{force, forced};
pub use map::{map1, map2, map3};
#[cfg(target_arch = "aarch64")]
pub use neon::Neon;
pub use portable::Portable;
pub use vector::{Element, Vector};

/// Bytes of a cache line.
pub(crate) const LINE: usize = 64;

/// A token that proves that the processor has an instruction set.
pub trait Simd: Copy + Send + Sync + std::fmt::Debug + 'static + sealed::Sealed {
    /// Which one.
    const LEVEL: Level;
    /// Its vector of `f32`.
    type F32: Vector<Simd = Self, Elem = f32>;
    /// Its vector of `f64`.
    type F64: Vector<Simd = Self, Elem = f64>;

    /// Runs a kernel compiled with these instructions.
    fn run<K: Kernel>(self, kernel: K) -> K::Output;

    /// Asks for the cache line at an address, which need not be a valid one.
    #[doc(hidden)]
    #[inline(always)]
    fn prefetch<T>(self, _: *const T) {}

    /// Copies a cache line to memory past the cache, where the processor can; [`stream_fence`] follows before another
    /// thread is told.
    ///
    /// # Safety
    /// `LINE` bytes can be read at `from` and written at `to`, and `to` begins a cache line.
    #[doc(hidden)]
    #[inline(always)]
    unsafe fn stream_line(self, from: *const u8, to: *mut u8) {
        // SAFETY: the caller vouches for both.
        unsafe { std::ptr::copy_nonoverlapping(from, to, LINE) }
    }

    /// How many elements a vector has.
    #[inline(always)]
    fn lanes<T: Element>(self) -> usize {
        T::Vector::<Self>::LANES
    }

    /// The same value in every lane.
    #[inline(always)]
    fn splat<T: Element>(self, value: T) -> T::Vector<Self> {
        T::Vector::<Self>::splat(self, value)
    }

    /// A constant in every lane, rounded to the element type.
    #[inline(always)]
    fn constant<T: Element>(self, value: f64) -> T::Vector<Self> {
        self.splat(T::of(value))
    }

    /// The first elements of a slice; zeros where it is too short.
    #[inline(always)]
    fn load<T: Element>(self, values: &[T]) -> T::Vector<Self> {
        T::Vector::<Self>::load(self, values)
    }
}

/// Orders what was streamed before whatever this thread writes next.
pub(crate) fn stream_fence() {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: every x86-64 processor has it.
    unsafe {
        std::arch::x86_64::_mm_sfence();
    }
}

/// A computation that is generic over the instruction set.
pub trait Kernel {
    /// What it gives.
    type Output;

    /// The computation; mark it `#[inline(always)]`.
    fn run<S: Simd>(self, s: S) -> Self::Output;
}

/// Runs a kernel with the instruction set of [`level`].
#[inline]
pub fn dispatch<K: Kernel>(kernel: K) -> K::Output {
    dispatch_at(level(), kernel)
}

/// Runs a kernel with a given instruction set; with portable code where the processor doesn't have it.
#[inline]
pub fn dispatch_at<K: Kernel>(level: Level, kernel: K) -> K::Output {
    match level {
        #[cfg(target_arch = "x86_64")]
        Level::Avx512 => {
            if let Some(s) = Avx512::new() {
                return s.run(kernel);
            }
        }
        #[cfg(target_arch = "x86_64")]
        Level::Avx2 => {
            if let Some(s) = Avx2::new() {
                return s.run(kernel);
            }
        }
        #[cfg(target_arch = "aarch64")]
        Level::Neon => {
            if let Some(s) = Neon::new() {
                return s.run(kernel);
            }
        }
        _ => {}
    }
    Portable::new().run(kernel)
}

mod sealed {
    /// Only this crate's types may claim to be tokens, vectors or elements.
    pub trait Sealed {}
    impl Sealed for f32 {}
    impl Sealed for f64 {}
}

#[cfg(test)]
mod tests;
