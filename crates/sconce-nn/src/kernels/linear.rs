//! The linear layer on the packed product.

use candle_core::{Result, Tensor};
use sconce_core::cpu::{self, Real};
use sconce_core::{Backward, Function, Output, apply1};
use sconce_kernels::matrix::MatRef;
use sconce_kernels::product::{Columns, Plain, product_vec};
use sconce_kernels::simd::{Kernel, Simd, Vector};
use sconce_kernels::{parallel, simd};
use std::marker::PhantomData;

/// x·weightᵀ + bias for x `[rows, in]`, weight `[out, in]`, bias `[out]`.
pub(crate) fn forward<T: Real>(x: &Tensor, weight: &Tensor, bias: Option<&Tensor>) -> Result<Tensor> {
    let function = LinearFn::<T>(PhantomData);
    match bias {
        Some(bias) => apply1(function, &[x, weight, bias]),
        None => apply1(function, &[x, weight]),
    }
}

struct LinearFn<T>(PhantomData<T>);

impl<T: Real> Function for LinearFn<T> {
    /// The input if the weight is trained, the weight if the input is.
    type Saved = [Option<Tensor>; 2];

    fn name(&self) -> &'static str {
        "linear"
    }

    fn forward(&self, inputs: &[Tensor], wanted: &[bool]) -> Result<(Vec<Output>, Self::Saved)> {
        let ((rows, width), out) = (inputs[0].dims2()?, inputs[1].dim(0)?);
        let (x, weight) = (cpu::slice::<T>(&inputs[0])?, cpu::slice::<T>(&inputs[1])?);
        let (a, b) = (MatRef::new(&x, rows, width), MatRef::new(&weight, out, width).t());
        let y = match inputs.get(2) {
            Some(bias) => product_vec(a, &b, &Columns(&cpu::slice::<T>(bias)?)),
            None => product_vec(a, &b, &Plain),
        };
        let saved = [
            wanted[1].then(|| inputs[0].clone()),
            wanted[0].then(|| inputs[1].clone()),
        ];
        Ok((vec![Output::new(y, (rows, out))?], saved))
    }

    /// dx = dy·W, dW = dyᵀ·x, db = Σ dy over the rows.
    fn backward(&self, ctx: &Backward<Self::Saved>, grads: &[Option<Tensor>]) -> Result<Vec<Option<Tensor>>> {
        let Some(grad) = &grads[0] else {
            return Ok(vec![None; ctx.wanted.len()]);
        };
        let grad = grad.contiguous()?;
        let (rows, out) = grad.dims2()?;
        let dy = cpu::slice::<T>(&grad)?;
        let dy_matrix = MatRef::new(&dy, rows, out);
        let tensor = |values, dims: &[usize]| Tensor::from_vec(values, dims, grad.device()).map(Some);
        let mut gradients = vec![None; ctx.wanted.len()];
        let [x, weight] = ctx.saved;
        if let Some(weight) = weight {
            let width = weight.dim(1)?;
            let values = cpu::slice::<T>(weight)?;
            let dx = product_vec(dy_matrix, &MatRef::new(&values, out, width), &Plain);
            gradients[0] = tensor(dx, &[rows, width])?;
        }
        if let Some(x) = x {
            let width = x.dim(1)?;
            let values = cpu::slice::<T>(x)?;
            let dw = product_vec(dy_matrix.t(), &MatRef::new(&values, rows, width), &Plain);
            gradients[1] = tensor(dw, &[out, width])?;
        }
        if ctx.wants(2) {
            gradients[2] = tensor(column_sums(&dy, out), &[out])?;
        }
        Ok(gradients)
    }
}

/// The sum of each column, rows in fixed chunks and those in order.
fn column_sums<T: Real>(values: &[T], columns: usize) -> Vec<T> {
    let chunk = |_, (rows,): (&[T],)| {
        let mut sums = vec![T::ZERO; columns];
        simd::dispatch(AddRows {
            sums: &mut sums,
            rows,
        });
        sums
    };
    let add = |mut a: Vec<T>, b: Vec<T>| {
        a.iter_mut().zip(b).for_each(|(a, b)| *a += b);
        a
    };
    let sums = parallel::reduce_rows(columns, (parallel::Rows(values, columns),), chunk, add);
    sums.unwrap_or_else(|| vec![T::ZERO; columns])
}

struct AddRows<'a, T> {
    sums: &'a mut [T],
    rows: &'a [T],
}

impl<T: Real> Kernel for AddRows<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let lanes = s.lanes::<T>();
        for row in self.rows.chunks_exact(self.sums.len()) {
            for (sums, row) in self.sums.chunks_mut(lanes).zip(row.chunks(lanes)) {
                (s.load::<T>(sums) + s.load::<T>(row)).store(sums);
            }
        }
    }
}
