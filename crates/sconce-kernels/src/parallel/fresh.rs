//! Vectors that nobody zeroes ahead of the threads that fill them.

use super::Split;
use super::stage::{Stage, stream};
use crate::simd::{self, Element, Simd, Vector};
use std::marker::PhantomData;
use std::mem::MaybeUninit;
use std::ops::Range;
use std::sync::atomic::{AtomicUsize, Ordering};

/// A new vector of `len` elements, written by `fill`, which walks the [`Blank`] that it is given as it would walk a slice.
///
/// A vector that is first zeroed and then computed crosses the memory bus three times: zeros go out, come in again when
/// they are overwritten, and values go out. Here nothing goes ahead of the values, and a vector that is too large to stay
/// in the cache doesn't pass through it.
///
/// ```
/// use sconce_kernels::parallel::{self, BlankPart};
/// use sconce_kernels::simd::{self, Kernel, Simd};
///
/// /// y = 2·x
/// struct Double<'a> { y: BlankPart<'a, f32>, x: &'a [f32] }
///
/// impl Kernel for Double<'_> {
///     type Output = ();
///     #[inline(always)]
///     fn run<S: Simd>(mut self, s: S) {
///         for x in self.x.chunks(1000) {
///             self.y.write(s, x.len(), |y| y.iter_mut().zip(x).for_each(|(y, x)| *y = 2. * x));
///         }
///     }
/// }
///
/// let x = vec![1.; 100_000];
/// let y = parallel::fresh(x.len(), |y| {
///     parallel::zip((y, &x[..]), |_, (y, x)| simd::dispatch(Double { y, x }));
/// });
/// assert_eq!(y, vec![2.; 100_000]);
/// ```
///
/// # Panics
/// `fill` leaves something out.
pub fn fresh<T: Element>(len: usize, fill: impl FnOnce(Blank<'_, T>)) -> Vec<T> {
    let mut values = Vec::with_capacity(len);
    let written = AtomicUsize::new(0);
    fill(Blank {
        space: values.spare_capacity_mut().get_mut(..len).unwrap_or_default(),
        written: &written,
    });
    assert!(written.into_inner() == len, "a part of a new vector was left out");
    // SAFETY: every element belongs to at most one part, as `Split::part` demands; a part counts what it has initialised,
    // each element once; and that is `len` elements together. So all are initialised.
    unsafe { values.set_len(len) };
    values
}

/// Bytes from which a vector goes to memory past the cache: more than what follows is likely to find there still.
const STREAM_FROM: usize = 8 << 20;

/// Memory of a new vector, to be cut into parts: see [`fresh`].
#[derive(Debug)]
pub struct Blank<'a, T> {
    space: &'a mut [MaybeUninit<T>],
    /// Elements of the parts that are done.
    written: &'a AtomicUsize,
}

/// A part of a [`Blank`], which is written from its beginning to its end.
#[derive(Debug)]
pub struct BlankPart<'a, T: 'static> {
    space: &'a mut [MaybeUninit<T>],
    /// How many elements have been written,
    done: usize,
    /// and where they are counted.
    written: &'a AtomicUsize,
    /// Where they are put together, if they go past the cache.
    stage: Option<Stage<T>>,
    /// The fence at the end is this thread's, so it stays here.
    here: PhantomData<*mut T>,
}

impl<T: Element> BlankPart<'_, T> {
    /// Has `f` write the next `count` elements. It finds zeros, or what was written before. A few thousand at a time stay
    /// in the first-level cache; many more don't go past it.
    ///
    /// # Panics
    /// There are fewer left.
    #[inline(always)]
    pub fn write<S: Simd, R>(&mut self, s: S, count: usize, f: impl FnOnce(&mut [T]) -> R) -> R {
        assert!(
            count <= self.space.len() - self.done,
            "more is written than a part of a new vector has"
        );
        let next = &mut self.space[self.done..][..count];
        let result = match &mut self.stage {
            Some(stage) if size_of_val(next) <= Stage::<T>::MOST => {
                let values = stage.elements(count);
                let result = f(values);
                stream(s, values, next);
                result
            }
            _ => {
                next.fill(MaybeUninit::new(T::ZERO));
                // SAFETY: all of it has just been initialised.
                f(unsafe { &mut *(std::ptr::from_mut(next) as *mut [T]) })
            }
        };
        self.done += count;
        result
    }

    /// Writes f(x\[i\]) next, a vector at a time, straight to its place: [`write`](Self::write) for what needs no slice.
    ///
    /// # Panics
    /// There are fewer elements left than `x` has.
    #[inline(always)]
    pub fn map1<S: Simd>(&mut self, s: S, x: &[T], mut f: impl FnMut(T::Vector<S>) -> T::Vector<S>) {
        if self.stage.is_some() {
            for x in x.chunks(Stage::<T>::MOST / size_of::<T>()) {
                self.write(
                    s,
                    x.len(),
                    #[inline(always)]
                    |y| simd::map1(s, y, x, &mut f),
                );
            }
            return;
        }
        assert!(
            x.len() <= self.space.len() - self.done,
            "more is written than a part of a new vector has"
        );
        let next = &mut self.space[self.done..][..x.len()];
        let lanes = s.lanes::<T>();
        for (y, x) in next.chunks_mut(lanes).zip(x.chunks(lanes)) {
            let value = f(s.load::<T>(x));
            // SAFETY: as many lanes are written as there is room for.
            unsafe {
                match y.len() == lanes {
                    true => value.store_ptr(y.as_mut_ptr().cast()),
                    false => value.store_head(y.as_mut_ptr().cast(), y.len()),
                }
            }
        }
        self.done += x.len();
    }
}

impl<T> Drop for BlankPart<'_, T> {
    fn drop(&mut self) {
        if self.stage.is_some() {
            simd::stream_fence();
        }
        _ = self.written.fetch_add(self.done, Ordering::Relaxed);
    }
}

/// A [`Blank`], shared between threads that touch disjoint parts of it.
#[doc(hidden)]
pub struct SharedBlank<'a, T> {
    start: *mut MaybeUninit<T>,
    len: usize,
    written: &'a AtomicUsize,
    life: PhantomData<&'a mut [T]>,
}

// SAFETY: threads only get disjoint parts, as `Split::part` demands, and T may be sent to them.
unsafe impl<T: Send> Sync for SharedBlank<'_, T> {}

// SAFETY: parts are the sub-slices of the ranges.
unsafe impl<'a, T: Element> Split for Blank<'a, T> {
    type Part = BlankPart<'a, T>;
    type Whole = SharedBlank<'a, T>;

    fn items(&self) -> usize {
        self.space.len()
    }
    fn whole(self) -> Self::Whole {
        SharedBlank {
            start: self.space.as_mut_ptr(),
            len: self.space.len(),
            written: self.written,
            life: PhantomData,
        }
    }
    unsafe fn part(whole: &Self::Whole, range: Range<usize>) -> BlankPart<'a, T> {
        // SAFETY: within the space, and no other part overlaps it, as the caller vouches.
        let part = unsafe { std::slice::from_raw_parts_mut(whole.start.add(range.start), range.len()) };
        let streams = whole.len * size_of::<T>() >= STREAM_FROM;
        BlankPart {
            space: part,
            done: 0,
            written: whole.written,
            stage: streams.then(Stage::new),
            here: PhantomData,
        }
    }
}
