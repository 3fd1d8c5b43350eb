//! Muon's step: the running average, the Newton–Schulz iteration on it, the update.

use super::clip::{Order, measure};
use super::{AverageLanes, Chunk, CpuStep};
use crate::engine::scratch::Scratch;
use crate::muon::Constants;
use sconce_core::cpu::Real;
use sconce_kernels::matrix::{MatMut, MatRef};
use sconce_kernels::parallel;
use sconce_kernels::product::{Epilogue, Plain, Start, product};
use sconce_kernels::simd::{Kernel, Simd, Vector, dispatch};

impl CpuStep for Constants {
    fn step<T: Real>(&self, whole: Chunk<'_, T>, dims: &[usize], scratch: &Scratch) {
        let Chunk {
            parameter,
            gradient,
            state: [buffer, ..],
        } = whole;
        // Nothing else passes the rule's check of parameters.
        let &[rows, columns] = dims else { return };
        let (size, side) = (rows * columns, rows.min(columns));
        let mut memory = scratch.lend::<T>(2 * size + 2 * side * side);
        let (matrices, squares) = memory.split_at_mut(2 * size);
        let (mut x, mut next) = matrices.split_at_mut(size);
        let (gram, mix) = squares.split_at_mut(side * side);

        let sum = parallel::reduce(
            (buffer, gradient, &mut *x),
            |_, (buffer, gradient, x)| {
                dispatch(Averages {
                    constants: self,
                    buffer,
                    gradient,
                    x: &mut *x,
                });
                measure(Order::Two, x)
            },
            |a, b| a + b,
        );
        let norm = Order::Two.finish(sum.unwrap_or(0.)).max(self.options.eps);
        parallel::zip((&mut *x,), |_, (x,)| {
            let by = T::of(norm.recip());
            x.iter_mut().for_each(|x| *x *= by);
        });
        for _ in 0..self.options.ns_steps {
            let view = MatRef::new(x, rows, columns);
            let target = MatMut::new(next, rows, columns);
            // The polynomial is one in the smaller of XXᵀ and XᵀX, and multiplies X from that side.
            if rows > columns {
                self.polynomial(view.t(), view, gram, mix);
                product(target, view, &MatRef::new(mix, side, side), &Plain);
            } else {
                self.polynomial(view, view.t(), gram, mix);
                product(target, MatRef::new(mix, side, side), &view, &Plain);
            }
            std::mem::swap(&mut x, &mut next);
        }
        let (shrink, rate) = (T::of(self.shrink()), T::of(self.rate(rows, columns)));
        parallel::zip((parameter, &*x), |_, (parameter, x)| {
            for (p, x) in parameter.iter_mut().zip(x) {
                *p = *p * shrink - *x * rate;
            }
        });
    }
}

impl Constants {
    /// mix ← a·1 + b·G + c·G² of gram ← G = `left`·`right`, which is symmetric.
    fn polynomial<T: Real>(&self, left: MatRef<'_, T>, right: MatRef<'_, T>, gram: &mut [T], mix: &mut [T]) {
        let side = left.rows();
        symmetric(gram, left, right, |_| Plain);
        let (a, b, c) = self.options.ns_coefficients;
        let view = MatRef::new(gram, side, side);
        symmetric(mix, view, view, |first| Mix {
            gram: &gram[first * side..],
            side,
            b: T::of(b),
            c: T::of(c),
        });
        for i in 0..side {
            mix[i * (side + 1)] += T::of(a);
        }
    }
}

/// C = A·B, where that is known to be symmetric: what lies right of the blocks on the diagonal is copied. The epilogue is
/// that of the rows from the given one on.
fn symmetric<T: Real, E: Epilogue<T>>(
    c: &mut [T],
    a: MatRef<'_, T>,
    b: MatRef<'_, T>,
    epilogue: impl Fn(usize) -> E,
) {
    const BLOCK: usize = 128;
    let (side, depth) = (a.rows(), a.cols());
    for first in (0..side).step_by(BLOCK) {
        let end = side.min(first + BLOCK);
        product(
            MatMut::strided(&mut c[first * side..], end - first, end, side),
            a.part(first..end, 0..depth),
            &b.part(0..depth, 0..end),
            &epilogue(first),
        );
    }
    // In small squares, whose lines the cache holds.
    const SQUARE: usize = 16;
    for rows in (0..side).step_by(SQUARE) {
        for columns in (0..=rows).step_by(SQUARE) {
            for i in rows..side.min(rows + SQUARE) {
                for j in columns..i.min(columns + SQUARE) {
                    c[j * side + i] = c[i * side + j];
                }
            }
        }
    }
}

/// C = b·G + c·(A·B)
struct Mix<'a, T> {
    gram: &'a [T],
    side: usize,
    b: T,
    c: T,
}

impl<T: Real> Epilogue<T> for Mix<'_, T> {
    const IDENTITY: bool = false;

    fn start(&self) -> Start<'_, T> {
        Start::Zero
    }

    #[inline(always)]
    fn apply<S: Simd>(&self, s: S, row: usize, col: usize, values: T::Vector<S>) -> T::Vector<S> {
        let gram = self.gram.get(row * self.side + col..).unwrap_or_default();
        s.load::<T>(gram)
            .mul_add(s.splat(self.b), values * s.splat(self.c))
    }
}

/// Puts the gradient into the running average and writes what is to be orthogonal.
struct Averages<'a, T> {
    constants: &'a Constants,
    buffer: &'a mut [T],
    gradient: &'a [T],
    x: &'a mut [T],
}

impl<T: Real> Kernel for Averages<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let Self {
            constants,
            buffer,
            gradient,
            x,
        } = self;
        let options = &constants.options;
        let average = AverageLanes::new(options.momentum, |value| s.constant::<T>(value));
        let sign = s.constant::<T>(constants.sign);
        for i in (0..x.len()).step_by(s.lanes::<T>()) {
            let g = s.load::<T>(&gradient[i..]) * sign;
            let kept = average.next(s.load::<T>(&buffer[i..]), g);
            kept.store(&mut buffer[i..]);
            let update = match options.nesterov {
                true => average.next(kept, g),
                false => kept,
            };
            update.store(&mut x[i..]);
        }
    }
}
