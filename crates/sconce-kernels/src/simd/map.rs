//! Vector loops over slices that the caller has cut to one length.

use super::{Element, Simd, Vector};

/// out\[i\] = f(x\[i\]), a vector at a time. The surplus of a longer slice is left alone.
#[inline(always)]
pub fn map1<T: Element, S: Simd>(
    s: S,
    out: &mut [T],
    x: &[T],
    mut f: impl FnMut(T::Vector<S>) -> T::Vector<S>,
) {
    let lanes = s.lanes::<T>();
    for (out, x) in out.chunks_mut(lanes).zip(x.chunks(lanes)) {
        f(s.load::<T>(x)).store(out);
    }
}

/// out\[i\] = f(x\[i\], y\[i\]), a vector at a time.
#[inline(always)]
pub fn map2<T: Element, S: Simd>(
    s: S,
    out: &mut [T],
    x: &[T],
    y: &[T],
    mut f: impl FnMut(T::Vector<S>, T::Vector<S>) -> T::Vector<S>,
) {
    let lanes = s.lanes::<T>();
    for ((out, x), y) in out.chunks_mut(lanes).zip(x.chunks(lanes)).zip(y.chunks(lanes)) {
        f(s.load::<T>(x), s.load::<T>(y)).store(out);
    }
}

/// out\[i\] = f(x\[i\], y\[i\], z\[i\]), a vector at a time.
#[inline(always)]
pub fn map3<T: Element, S: Simd>(
    s: S,
    out: &mut [T],
    x: &[T],
    y: &[T],
    z: &[T],
    mut f: impl FnMut(T::Vector<S>, T::Vector<S>, T::Vector<S>) -> T::Vector<S>,
) {
    let lanes = s.lanes::<T>();
    let inputs = x.chunks(lanes).zip(y.chunks(lanes)).zip(z.chunks(lanes));
    for (out, ((x, y), z)) in out.chunks_mut(lanes).zip(inputs) {
        f(s.load::<T>(x), s.load::<T>(y), s.load::<T>(z)).store(out);
    }
}
