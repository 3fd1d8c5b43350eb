//! Matrices as views of slices.

use std::ops::Range;

/// A matrix to read: any strides, so a transposed matrix is a view too.
#[derive(Debug, Clone, Copy)]
pub struct MatRef<'a, T> {
    data: &'a [T],
    rows: usize,
    cols: usize,
    row_stride: usize,
    col_stride: usize,
}

impl<'a, T: Copy> MatRef<'a, T> {
    /// A matrix whose rows follow one another.
    ///
    /// # Panics
    /// The slice is too short.
    pub fn new(data: &'a [T], rows: usize, cols: usize) -> Self {
        Self::strided(data, rows, cols, cols, 1)
    }

    /// A matrix whose element (i, j) is `data[i·row_stride + j·col_stride]`.
    ///
    /// # Panics
    /// The slice is too short.
    pub fn strided(data: &'a [T], rows: usize, cols: usize, row_stride: usize, col_stride: usize) -> Self {
        assert!(
            fits(data.len(), rows, cols, row_stride, col_stride),
            "a matrix reaches past its slice"
        );
        // Of a matrix without elements nobody has checked the strides.
        let (row_stride, col_stride) = if rows == 0 || cols == 0 {
            (0, 1)
        } else {
            (row_stride, col_stride)
        };
        Self {
            data,
            rows,
            cols,
            row_stride,
            col_stride,
        }
    }

    /// The transposed matrix.
    pub fn t(self) -> Self {
        Self {
            rows: self.cols,
            cols: self.rows,
            row_stride: self.col_stride,
            col_stride: self.row_stride,
            ..self
        }
    }

    /// Some of its rows and columns.
    ///
    /// # Panics
    /// There are no such rows or columns.
    pub fn part(self, rows: Range<usize>, cols: Range<usize>) -> Self {
        assert!(
            rows.start <= rows.end
                && rows.end <= self.rows
                && cols.start <= cols.end
                && cols.end <= self.cols,
            "a part lies outside the matrix"
        );
        Self {
            data: self.from(rows.start, cols.start),
            rows: rows.len(),
            cols: cols.len(),
            ..self
        }
    }

    /// How many rows.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// How many columns.
    pub fn cols(&self) -> usize {
        self.cols
    }

    /// From one row to the next.
    pub fn row_stride(&self) -> usize {
        self.row_stride
    }

    /// From one column to the next.
    pub fn col_stride(&self) -> usize {
        self.col_stride
    }

    /// The element in a row and a column.
    ///
    /// # Panics
    /// There is no such element.
    #[inline(always)]
    pub fn at(&self, row: usize, col: usize) -> T {
        assert!(
            row < self.rows && col < self.cols,
            "an index lies outside the matrix"
        );
        self.data[row * self.row_stride + col * self.col_stride]
    }

    /// The elements from (row, col) on, as they lie in memory.
    #[inline(always)]
    pub(crate) fn from(&self, row: usize, col: usize) -> &'a [T] {
        self.data
            .get(row * self.row_stride + col * self.col_stride..)
            .unwrap_or_default()
    }
}

/// A matrix to write, whose rows are contiguous.
#[derive(Debug)]
pub struct MatMut<'a, T> {
    data: &'a mut [T],
    rows: usize,
    cols: usize,
    row_stride: usize,
}

impl<'a, T: Copy> MatMut<'a, T> {
    /// A matrix whose rows follow one another.
    ///
    /// # Panics
    /// The slice is too short.
    pub fn new(data: &'a mut [T], rows: usize, cols: usize) -> Self {
        Self::strided(data, rows, cols, cols)
    }

    /// A matrix whose element (i, j) is `data[i·row_stride + j]`.
    ///
    /// # Panics
    /// The slice is too short, or rows overlap.
    pub fn strided(data: &'a mut [T], rows: usize, cols: usize, row_stride: usize) -> Self {
        assert!(
            fits(data.len(), rows, cols, row_stride, 1),
            "a matrix reaches past its slice"
        );
        assert!(rows < 2 || row_stride >= cols, "the rows of a matrix overlap");
        Self {
            data,
            rows,
            cols,
            row_stride,
        }
    }

    /// How many rows.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// How many columns.
    pub fn cols(&self) -> usize {
        self.cols
    }

    /// From one row to the next.
    pub fn row_stride(&self) -> usize {
        self.row_stride
    }

    /// A row.
    ///
    /// # Panics
    /// There is no such row.
    pub fn row_mut(&mut self, row: usize) -> &mut [T] {
        assert!(row < self.rows, "a row lies outside the matrix");
        if self.cols == 0 {
            &mut []
        } else {
            &mut self.data[row * self.row_stride..][..self.cols]
        }
    }

    pub(crate) fn as_mut_ptr(&mut self) -> *mut T {
        self.data.as_mut_ptr()
    }
}

fn fits(len: usize, rows: usize, cols: usize, row_stride: usize, col_stride: usize) -> bool {
    if rows == 0 || cols == 0 {
        return true;
    }
    let last = |count: usize, stride: usize| (count - 1).checked_mul(stride);
    last(rows, row_stride)
        .zip(last(cols, col_stride))
        .and_then(|(row, col)| row.checked_add(col))
        .is_some_and(|last| last < len)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn views_are_checked() {
        let data = [1, 2, 3, 4, 5, 6];
        let a = MatRef::new(&data, 2, 3);
        assert_eq!((a.at(1, 0), a.t().at(0, 1), a.t().rows()), (4, 4, 3));
        let part = a.part(1..2, 1..3);
        assert_eq!(
            (part.rows(), part.cols(), part.at(0, 0), part.at(0, 1)),
            (1, 2, 5, 6)
        );
        assert_eq!(a.t().part(2..3, 0..2).at(0, 1), 6);
        assert_eq!(a.part(2..2, 0..3).rows(), 0);
        assert!(std::panic::catch_unwind(|| a.part(1..3, 0..1)).is_err());
        assert!(std::panic::catch_unwind(|| MatRef::new(&data, 2, 4)).is_err());
        assert!(std::panic::catch_unwind(|| MatRef::strided(&data, usize::MAX, 2, usize::MAX, 1)).is_err());
        assert!(std::panic::catch_unwind(|| a.at(0, 3)).is_err());
        assert!(std::panic::catch_unwind(|| _ = MatMut::strided(&mut [0; 6], 2, 3, 2)).is_err());
        assert_eq!(MatRef::<i32>::new(&[], 0, 5).cols(), 5);
    }
}
