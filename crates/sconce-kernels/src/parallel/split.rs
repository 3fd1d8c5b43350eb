//! Slices that are cut in lock-step.

use super::fresh::Blank;
use crate::simd::Element;
use std::marker::PhantomData;
use std::ops::Range;

/// A slice seen as rows of a width.
#[derive(Debug)]
pub struct Rows<S>(pub S, pub usize);

/// What can be cut into parts that different threads hold: slices, [`Rows`] of them, and tuples of such.
///
/// # Safety
/// `part` gives disjoint parts for disjoint ranges within `0..items`.
pub unsafe trait Split: Sized {
    /// What a thread gets.
    type Part;
    /// The whole, as something that threads share.
    type Whole: Sync;

    /// How many items: elements, or rows.
    ///
    /// # Panics
    /// The parts of a tuple differ in it, or a slice isn't a whole number of rows.
    fn items(&self) -> usize;

    /// Gives itself up for cutting.
    fn whole(self) -> Self::Whole;

    /// The items in a range.
    ///
    /// # Safety
    /// The range lies within `0..items`, overlaps none that was asked for before, and what `whole` consumed is still alive.
    unsafe fn part(whole: &Self::Whole, range: Range<usize>) -> Self::Part;
}

/// A slice's address, shared between threads that touch disjoint parts of it.
#[doc(hidden)]
pub struct Shared<'a, T>(*mut T, PhantomData<&'a mut [T]>);

// SAFETY: threads only get disjoint parts, as `Split::part` demands, and T may be sent to them.
unsafe impl<T: Send> Sync for Shared<'_, T> {}

// SAFETY: parts are the sub-slices of the ranges.
unsafe impl<'a, T: Sync> Split for &'a [T] {
    type Part = &'a [T];
    type Whole = &'a [T];

    fn items(&self) -> usize {
        self.len()
    }
    fn whole(self) -> Self::Whole {
        self
    }
    unsafe fn part(whole: &Self::Whole, range: Range<usize>) -> &'a [T] {
        &whole[range]
    }
}

// SAFETY: parts are the sub-slices of the ranges.
unsafe impl<'a, T: Send> Split for &'a mut [T] {
    type Part = &'a mut [T];
    type Whole = Shared<'a, T>;

    fn items(&self) -> usize {
        self.len()
    }
    fn whole(self) -> Self::Whole {
        Shared(self.as_mut_ptr(), PhantomData)
    }
    unsafe fn part(whole: &Self::Whole, range: Range<usize>) -> &'a mut [T] {
        // SAFETY: within the slice, and no other part overlaps it, as the caller vouches.
        unsafe { std::slice::from_raw_parts_mut(whole.0.add(range.start), range.len()) }
    }
}

macro_rules! rows {
    ($slice:ty, $($bound:tt)+) => {
        // SAFETY: rows are disjoint ranges of elements.
        unsafe impl<'a, T: $($bound)+> Split for Rows<$slice> {
            type Part = <$slice as Split>::Part;
            type Whole = (<$slice as Split>::Whole, usize);

            fn items(&self) -> usize {
                if self.0.items() == 0 {
                    return 0;
                }
                assert!(
                    self.1 != 0 && self.0.items() % self.1 == 0,
                    "a slice isn't a whole number of rows"
                );
                self.0.items() / self.1
            }
            fn whole(self) -> Self::Whole {
                (self.0.whole(), self.1)
            }
            unsafe fn part((whole, width): &Self::Whole, range: Range<usize>) -> Self::Part {
                // SAFETY: rows within `0..items` are elements within the slice; disjoint rows are disjoint elements.
                unsafe { <$slice as Split>::part(whole, range.start * width..range.end * width) }
            }
        }
    };
}
rows!(&'a [T], Sync);
rows!(&'a mut [T], Send);
rows!(Blank<'a, T>, Element);

macro_rules! tuple {
    ($($name:ident $index:tt),*) => {
        // SAFETY: each element's parts are disjoint, and the elements are different borrows.
        unsafe impl<$($name: Split),*> Split for ($($name,)*) {
            type Part = ($($name::Part,)*);
            type Whole = ($($name::Whole,)*);

            fn items(&self) -> usize {
                let items = self.0.items();
                assert!(true $(&& self.$index.items() == items)*, "slices that go in lock-step differ in length");
                items
            }
            fn whole(self) -> Self::Whole {
                ($(self.$index.whole(),)*)
            }
            unsafe fn part(whole: &Self::Whole, range: Range<usize>) -> Self::Part {
                // SAFETY: the caller vouches for the range, and `items` saw that it is one for all.
                ($(unsafe { $name::part(&whole.$index, range.clone()) },)*)
            }
        }
    };
}
tuple!(A 0);
tuple!(A 0, B 1);
tuple!(A 0, B 1, C 2);
tuple!(A 0, B 1, C 2, D 3);
tuple!(A 0, B 1, C 2, D 3, E 4);
tuple!(A 0, B 1, C 2, D 3, E 4, F 5);

/// Cuts into blocks of `block` items, each worth `weight` elements, and hands them out.
pub(super) fn blocks<P: Split>(parts: P, block: usize, weight: usize, f: impl Fn(usize, P::Part) + Sync) {
    let items = parts.items();
    let whole = parts.whole();
    let run = |i: usize| {
        let range = i * block..items.min((i + 1) * block);
        // SAFETY: blocks lie within the items and don't overlap, each is run once, and the borrow in P outlives this call.
        f(range.start, unsafe { P::part(&whole, range) });
    };
    let count = items.div_ceil(block);
    if items.saturating_mul(weight) < super::THRESHOLD {
        (0..count).for_each(run);
    } else {
        super::tasks(count, run);
    }
}
