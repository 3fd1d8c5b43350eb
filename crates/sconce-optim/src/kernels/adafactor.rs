//! Adafactor's step: the averages of squares, then how large the update is, then the update.

use super::sums::products;
use super::{Chunk, CpuStep};
use crate::adafactor::Constants;
use crate::engine::scratch::Scratch;
use sconce_core::cpu::Real;
use sconce_kernels::parallel::{self, Rows};
use sconce_kernels::simd::{Kernel, Simd, Vector, dispatch};

/// Rows of a large matrix whose columns are added up before other rows' are: what is put aside for it is that much smaller
/// than the matrix.
const BLOCK: usize = 64;

impl CpuStep for Constants {
    fn step<T: Real>(&self, whole: Chunk<'_, T>, dims: &[usize], scratch: &Scratch) {
        let Chunk {
            parameter,
            gradient,
            state: [first, second, _],
        } = whole;
        match *dims {
            [.., height, width] => {
                let matrices = Matrices {
                    constants: self,
                    height,
                    width,
                };
                matrices.step(parameter, gradient, (first, second), scratch);
            }
            _ => vector(self, parameter, gradient, first),
        }
    }
}

/// What a tensor adds up to: Σθ², ΣU².
type Sizes = (f64, f64);

fn join(a: Sizes, b: Sizes) -> Sizes {
    (a.0 + b.0, a.1 + b.1)
}

/// The step of a tensor that keeps an average for each element.
fn vector<T: Real>(constants: &Constants, parameter: &mut [T], gradient: &[T], variance: &mut [T]) {
    let count = parameter.len();
    // A matrix of one row, whose columns' averages are the elements' own.
    let matrix = Matrices {
        constants,
        height: 1,
        width: count,
    };
    let row = [T::ONE];
    let average = constants.average();
    let sizes = parallel::reduce(
        (&*parameter, gradient, &mut *variance),
        |_, (parameter, gradient, columns)| {
            let fold = Fold {
                parameter,
                gradient,
                rows: &mut [T::ZERO],
                columns,
                row: average,
                column: average,
            };
            (
                dispatch(fold),
                dispatch(Size(matrix.update(gradient, &row, columns, T::ONE))),
            )
        },
        join,
    );
    let change = constants.change(sizes.unwrap_or_default(), count);
    parallel::zip(
        (parameter, gradient, &*variance),
        |_, (parameter, gradient, columns)| {
            let update = matrix.update(gradient, &row, columns, T::ONE);
            dispatch(Move(parameter, update, change));
        },
    );
}

/// The matrices that a tensor consists of.
struct Matrices<'a> {
    constants: &'a Constants,
    height: usize,
    width: usize,
}

impl Matrices<'_> {
    fn step<T: Real>(
        &self,
        parameter: &mut [T],
        gradient: &[T],
        (rows, columns): (&mut [T], &mut [T]),
        scratch: &Scratch,
    ) {
        let Self { height, width, .. } = *self;
        let count = parameter.len();
        // One for each matrix.
        let mut scales = scratch.lend::<T>(count / (height * width));
        let sizes = match height * width < parallel::THRESHOLD {
            true => self.fold_small((parameter, gradient), (rows, columns), &mut scales),
            false => {
                let tensors = parameter
                    .chunks(height * width)
                    .zip(gradient.chunks(height * width));
                let state = rows.chunks_mut(height).zip(columns.chunks_mut(width));
                let matrices = tensors.zip(state).zip(&mut *scales);
                let sizes =
                    matrices.map(|((tensors, state), scale)| self.fold_large(tensors, state, scale, scratch));
                sizes.reduce(join)
            }
        };
        let change = self.constants.change(sizes.unwrap_or_default(), count);
        parallel::zip_rows(
            width,
            (Rows(parameter, width), Rows(gradient, width), &*rows),
            |first, (parameter, gradient, rows)| {
                let mut done = 0;
                // The rows may belong to several matrices.
                while done < rows.len() {
                    let matrix = (first + done) / height;
                    let end = rows.len().min((matrix + 1) * height - first);
                    let range = done * width..end * width;
                    let columns = &columns[matrix * width..][..width];
                    let update = self.update(
                        &gradient[range.clone()],
                        &rows[done..end],
                        columns,
                        scales[matrix],
                    );
                    dispatch(Move(&mut parameter[range], update, change));
                    done = end;
                }
            },
        );
    }

    /// Puts squares into the averages of many matrices.
    fn fold_small<T: Real>(
        &self,
        (parameter, gradient): (&[T], &[T]),
        (rows, columns): (&mut [T], &mut [T]),
        scales: &mut [T],
    ) -> Option<Sizes> {
        let Self { height, width, .. } = *self;
        let size = height * width;
        let parts = (
            (Rows(parameter, size), Rows(gradient, size)),
            (Rows(rows, height), Rows(columns, width)),
            scales,
        );
        let fold = |_, ((parameter, gradient), (rows, columns), scales): (_, _, &mut [T])| {
            let (parameter, gradient): (&[T], &[T]) = (parameter, gradient);
            let (rows, columns): (&mut [T], &mut [T]) = (rows, columns);
            let tensors = parameter.chunks(size).zip(gradient.chunks(size));
            let state = rows.chunks_mut(height).zip(columns.chunks_mut(width));
            let mut sizes = (0., 0.);
            for ((tensors, (rows, columns)), scale) in tensors.zip(state).zip(scales) {
                let squares = dispatch(self.fold(tensors, rows, columns, self.constants.average()));
                *scale = self.constants.scale(rows);
                let update = dispatch(Size(self.update(tensors.1, rows, columns, *scale)));
                sizes = join(sizes, (squares, update));
            }
            sizes
        };
        parallel::reduce_rows(size, parts, fold, join)
    }

    /// Puts squares into the averages of one matrix, on all threads.
    fn fold_large<T: Real>(
        &self,
        (parameter, gradient): (&[T], &[T]),
        (rows, columns): (&mut [T], &mut [T]),
        scale: &mut T,
        scratch: &Scratch,
    ) -> Sizes {
        let Self { height, width, .. } = *self;
        let block = BLOCK.max(parallel::CHUNK / width);
        let blocks = height.div_ceil(block);
        let mut parts = scratch.lend::<T>(blocks * width);
        let mut squares = vec![0.; blocks];
        let tensors = parameter
            .chunks(block * width)
            .zip(gradient.chunks(block * width));
        let state = rows.chunks_mut(block).zip(parts.chunks_mut(width));
        let work = tensors.zip(state).zip(&mut squares).collect();
        let Average { keep, add } = self.constants.average();
        parallel::for_each(work, |((tensors, (rows, part)), squares)| {
            part.fill(T::ZERO);
            *squares = dispatch(self.fold(tensors, rows, part, Average { keep: 0., add }));
        });
        for (i, part) in parts.chunks(width).enumerate() {
            let keep = T::of(if i == 0 { keep } else { 1. });
            for (column, part) in columns.iter_mut().zip(part) {
                *column = *column * keep + *part;
            }
        }
        *scale = self.constants.scale(rows);
        let update = parallel::reduce_rows(
            width,
            (Rows(gradient, width), &*rows),
            |_, (gradient, rows)| dispatch(Size(self.update(gradient, rows, columns, *scale))),
            |a, b| a + b,
        );
        (squares.iter().sum(), update.unwrap_or(0.))
    }

    fn fold<'a, T>(
        &self,
        (parameter, gradient): (&'a [T], &'a [T]),
        rows: &'a mut [T],
        columns: &'a mut [T],
        column: Average,
    ) -> Fold<'a, T> {
        let mean = |average: Average, of: usize| Average {
            add: average.add / of as f64,
            ..average
        };
        Fold {
            parameter,
            gradient,
            rows,
            columns,
            row: mean(self.constants.average(), self.width),
            column: mean(column, self.height),
        }
    }

    fn update<'a, T: Real>(
        &self,
        gradient: &'a [T],
        rows: &'a [T],
        columns: &'a [T],
        scale: T,
    ) -> Update<'a, T> {
        Update {
            gradient,
            rows,
            columns,
            scale,
            floor: self.constants.floor(),
        }
    }
}

/// What a running average is multiplied by, and what the sum that goes into it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Average {
    pub(crate) keep: f64,
    pub(crate) add: f64,
}

/// Puts a matrix's squares into the averages of its rows and columns; gives Σθ².
struct Fold<'a, T> {
    parameter: &'a [T],
    gradient: &'a [T],
    rows: &'a mut [T],
    columns: &'a mut [T],
    row: Average,
    column: Average,
}

impl<T: Real> Kernel for Fold<'_, T> {
    type Output = f64;

    #[inline(always)]
    fn run<S: Simd>(self, s: S) -> f64 {
        /// Rows that go through the columns' sums together.
        const TOGETHER: usize = 4;
        let width = self.columns.len();
        let (keep, add) = (T::of(self.row.keep), T::of(self.row.add));
        let mut of_columns = ColumnSums {
            columns: self.columns,
            keep: T::of(self.column.keep),
            add: T::of(self.column.add),
        };
        let mut sum = 0.;
        let parameter = self.parameter.chunks(TOGETHER * width);
        let gradient = self.gradient.chunks(TOGETHER * width);
        for ((parameter, gradient), rows) in parameter.zip(gradient).zip(self.rows.chunks_mut(TOGETHER)) {
            sum += products(s, parameter, parameter).wide();
            if rows.len() == TOGETHER {
                let sums = of_columns.take::<S, TOGETHER>(s, gradient);
                for (row, sum) in rows.iter_mut().zip(sums) {
                    *row = *row * keep + sum * add;
                }
            } else {
                for (row, gradient) in rows.iter_mut().zip(gradient.chunks(width)) {
                    let [sum] = of_columns.take::<S, 1>(s, gradient);
                    *row = *row * keep + sum * add;
                }
            }
        }
        sum
    }
}

struct ColumnSums<'a, T> {
    columns: &'a mut [T],
    /// Of what the columns hold; 1 once something was added.
    keep: T,
    add: T,
}

impl<T: Real> ColumnSums<'_, T> {
    /// Adds the squares of some rows; gives the rows' sums.
    #[inline(always)]
    fn take<S: Simd, const N: usize>(&mut self, s: S, gradient: &[T]) -> [T; N] {
        let width = self.columns.len();
        let rows: [&[T]; N] = std::array::from_fn(|k| &gradient[k * width..][..width]);
        let (keep, add) = (s.splat(self.keep), s.splat(self.add));
        let mut sums = [s.splat(T::ZERO); N];
        for i in (0..width).step_by(s.lanes::<T>()) {
            let mut of_column = s.splat(T::ZERO);
            for (row, sum) in rows.iter().zip(&mut sums) {
                let g = s.load::<T>(&row[i..]);
                *sum = g.mul_add(g, *sum);
                of_column = g.mul_add(g, of_column);
            }
            let column = &mut self.columns[i..];
            s.load::<T>(column).mul_add(keep, of_column * add).store(column);
        }
        self.keep = T::ONE;
        sums.map(
            #[inline(always)]
            |sum| sum.sum(),
        )
    }
}

/// U = g / √max(rows·columns / scale, floor), of a matrix's rows.
#[derive(Clone, Copy)]
struct Update<'a, T> {
    gradient: &'a [T],
    rows: &'a [T],
    columns: &'a [T],
    scale: T,
    floor: T,
}

impl<'a, T: Real> Update<'a, T> {
    /// Each row of the gradient with what its columns' averages are multiplied by.
    #[inline(always)]
    fn each_row(self) -> impl Iterator<Item = (&'a [T], T)> {
        let gradient = self.gradient.chunks(self.columns.len());
        gradient.zip(self.rows.iter().map(move |&row| row / self.scale))
    }
}

/// An update's vector from those of gradient and columns.
#[inline(always)]
fn at<V: Vector>(g: V, row: V, column: V, floor: V) -> V {
    // The second operand is what comes of a NaN.
    g / floor.max(row * column).sqrt()
}

/// ΣU²
struct Size<'a, T>(Update<'a, T>);

impl<T: Real> Kernel for Size<'_, T> {
    type Output = f64;

    #[inline(always)]
    fn run<S: Simd>(self, s: S) -> f64 {
        let columns = self.0.columns;
        let floor = s.splat(self.0.floor);
        let mut all = 0.;
        for (gradient, row) in self.0.each_row() {
            let row = s.splat(row);
            let mut sum = s.splat(T::ZERO);
            for i in (0..columns.len()).step_by(s.lanes::<T>()) {
                let u = at(
                    s.load::<T>(&gradient[i..]),
                    row,
                    s.load::<T>(&columns[i..]),
                    floor,
                );
                sum = u.mul_add(u, sum);
            }
            all += sum.sum().wide();
        }
        all
    }
}

/// What is done to a parameter: θ ← shrink·θ − rate·U
#[derive(Debug, Clone, Copy)]
pub(crate) struct Change {
    pub(crate) shrink: f64,
    pub(crate) rate: f64,
}

struct Move<'a, T>(&'a mut [T], Update<'a, T>, Change);

impl<T: Real> Kernel for Move<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let Self(parameter, update, change) = self;
        let columns = update.columns;
        let floor = s.splat(update.floor);
        let (shrink, rate) = (s.constant::<T>(change.shrink), s.constant::<T>(change.rate));
        for (parameter, (gradient, row)) in parameter.chunks_mut(columns.len()).zip(update.each_row()) {
            let row = s.splat(row);
            for i in (0..columns.len()).step_by(s.lanes::<T>()) {
                let u = at(
                    s.load::<T>(&gradient[i..]),
                    row,
                    s.load::<T>(&columns[i..]),
                    floor,
                );
                let p = &mut parameter[i..];
                u.neg_mul_add(rate, s.load::<T>(p) * shrink).store(p);
            }
        }
    }
}
