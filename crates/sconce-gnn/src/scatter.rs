//! Reading rows by an index, and reducing the rows of a group.

use crate::index::Index;
use crate::kernels;
use candle_core::{DType, Device, Result, Tensor};
use sconce_core::cpu::{self, has_kernel};
use sconce_core::{Error, cast, dispatch_real, graph};
use std::str::FromStr;

/// How the messages of a node become one.
///
/// # Example
/// ```
/// use sconce_gnn::Aggregation;
/// assert_eq!("mean".parse::<Aggregation>()?, Aggregation::Mean);
/// # Ok::<(), sconce_core::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Aggregation {
    /// Their sum; 0 if there is none.
    Sum,
    /// Their mean; 0 if there is none.
    Mean,
    /// The largest value of each feature; 0 if there is none.
    Max,
    /// The smallest value of each feature; 0 if there is none.
    Min,
    /// Their product; 1 if there is none.
    Mul,
}

impl Aggregation {
    /// All of them with PyTorch Geometric's names; `add` is another name of `sum`.
    pub const ALL: [(&'static str, Self); 5] = [
        ("sum", Self::Sum),
        ("mean", Self::Mean),
        ("max", Self::Max),
        ("min", Self::Min),
        ("mul", Self::Mul),
    ];
}

impl FromStr for Aggregation {
    type Err = Error;

    fn from_str(name: &str) -> sconce_core::Result<Self> {
        let found = Self::ALL
            .iter()
            .find(|(known, _)| *known == name || (name == "add" && *known == "sum"));
        found.map(|&(_, aggregation)| aggregation).ok_or_else(|| {
            Error::config(
                "Aggregation",
                "name",
                name,
                "one of sum (add), mean, max, min, mul",
            )
        })
    }
}

/// Rows by an index: y\[i\] = x\[index\[i\]\].
///
/// # Shapes
/// x `[groups, *]`, output `[items, *]`
/// # Errors
/// x has no axes, or another number of rows than the index has groups.
/// # Source
/// `torch.index_select`
/// # Example
/// ```
/// use sconce_core::candle_core::{Device, Tensor};
/// use sconce_gnn::{Index, gather};
/// let index = Index::new(&Tensor::new(&[1i64, 1, 0], &Device::Cpu)?, 2)?;
/// let x = Tensor::new(&[[1f64, 2.], [3., 4.]], &Device::Cpu)?;
/// assert_eq!(gather(&x, &index)?.to_vec2::<f64>()?, [[3., 4.], [3., 4.], [1., 2.]]);
/// # Ok::<(), sconce_core::Error>(())
/// ```
pub fn gather(x: &Tensor, index: &Index) -> Result<Tensor> {
    check_rows("gather", x, index.num_groups(), "groups")?;
    if has_kernel(x) {
        return dispatch_real!(x, kernels::gather::forward(x, index));
    }
    let y = x.index_select(&index.tensor(x.device())?, 0)?;
    graph::note("gather", &[x], std::slice::from_ref(&y));
    Ok(y)
}

/// One row a group from the rows of its items.
///
/// Where several values are the largest (smallest), the gradient is shared out evenly among them; where one is NaN, so is the
/// result. (PyTorch counts the 0 of an empty group among the equal ones, and so loses a share where the extreme is 0; here all
/// of the gradient arrives.)
///
/// # Shapes
/// x `[items, *]`, output `[groups, *]`
/// # Errors
/// x has no axes, or another number of rows than the index has items.
/// # Source
/// `torch_geometric.utils.scatter`
/// # Example
/// ```
/// use sconce_core::candle_core::{Device, Tensor};
/// use sconce_gnn::{Aggregation, Index, scatter};
/// let index = Index::new(&Tensor::new(&[0i64, 2, 0], &Device::Cpu)?, 3)?;
/// let x = Tensor::new(&[1f64, 2., 5.], &Device::Cpu)?;
/// assert_eq!(scatter(&x, &index, Aggregation::Mean)?.to_vec1::<f64>()?, [3., 0., 2.]);
/// assert_eq!(scatter(&x, &index, Aggregation::Max)?.to_vec1::<f64>()?, [5., 0., 2.]);
/// # Ok::<(), sconce_core::Error>(())
/// ```
pub fn scatter(x: &Tensor, index: &Index, aggregation: Aggregation) -> Result<Tensor> {
    check_rows("scatter", x, index.len(), "items")?;
    if !has_kernel(x) {
        let y = composite(x, index, aggregation)?;
        graph::note("scatter", &[x], std::slice::from_ref(&y));
        return Ok(y);
    }
    match aggregation {
        Aggregation::Sum => dispatch_real!(x, kernels::sum::forward(x, index, false)),
        Aggregation::Mean => dispatch_real!(x, kernels::sum::forward(x, index, true)),
        Aggregation::Max => dispatch_real!(x, kernels::extreme::forward(x, index, true)),
        Aggregation::Min => dispatch_real!(x, kernels::extreme::forward(x, index, false)),
        Aggregation::Mul => dispatch_real!(x, kernels::product::forward(x, index)),
    }
}

/// Softmax over the items of each group, feature by feature: y\[i\] = exp(x\[i\]) / (Σ exp(x\[j\]) + 1e-16) over the j of
/// i's group, computed without overflow.
///
/// # Shapes
/// x `[items, *]`, output the same
/// # Errors
/// x has no axes, another number of rows than the index has items, or isn't of floats.
/// # Source
/// `torch_geometric.utils.softmax`
/// # Example
/// ```
/// use sconce_core::candle_core::{Device, Tensor};
/// use sconce_gnn::{Index, scatter_softmax};
/// let index = Index::new(&Tensor::new(&[0i64, 0, 1], &Device::Cpu)?, 2)?;
/// let x = Tensor::new(&[1e4f64, 1e4, -3.], &Device::Cpu)?;
/// assert_eq!(scatter_softmax(&x, &index)?.to_vec1::<f64>()?, [0.5, 0.5, 1.]);
/// # Ok::<(), sconce_core::Error>(())
/// ```
pub fn scatter_softmax(x: &Tensor, index: &Index) -> Result<Tensor> {
    check_rows("scatter_softmax", x, index.len(), "items")?;
    if !x.dtype().is_float() {
        return Err(Error::DType {
            layer: "scatter_softmax".into(),
            argument: "x",
            expected: "a float".into(),
            got: x.dtype(),
        }
        .into());
    }
    if has_kernel(x) {
        return dispatch_real!(x, kernels::softmax::forward(x, index));
    }
    let y = softmax_composite(x, index)?;
    graph::note("scatter_softmax", &[x], std::slice::from_ref(&y));
    Ok(y)
}

pub(crate) fn check_rows(name: &'static str, x: &Tensor, rows: usize, axis: &str) -> Result<()> {
    if x.dims().first() != Some(&rows) {
        let expected = format!("[{axis} = {rows}, *]");
        return Err(Error::shape(name, "x", expected, x.dims()).into());
    }
    Ok(())
}

/// The same from candle operations: the oracle of the kernels, and what runs on other devices.
fn composite(x: &Tensor, index: &Index, aggregation: Aggregation) -> Result<Tensor> {
    match aggregation {
        Aggregation::Sum => sum_composite(x, index),
        Aggregation::Mean => {
            let counts = index.counts().into_iter().map(|n| n.max(1) as f64).collect();
            let counts = column(counts, x)?;
            sum_composite(x, index)?.broadcast_div(&counts)
        }
        Aggregation::Max | Aggregation::Min => {
            let shares = shares(x, index, aggregation == Aggregation::Max)?;
            // What isn't an extreme may be infinite, which no factor makes 0.
            let kept = shares.ne(0f64)?.where_cond(x, &x.zeros_like()?)?;
            sum_composite(&(kept * shares)?, index)
        }
        Aggregation::Mul => product_composite(x, index),
    }
}

pub(crate) fn sum_composite(x: &Tensor, index: &Index) -> Result<Tensor> {
    let mut dims = x.dims().to_vec();
    if let Some(first) = dims.first_mut() {
        *first = index.num_groups();
    }
    let zeros = Tensor::zeros(dims, x.dtype(), x.device())?;
    zeros.index_add(&index.tensor(x.device())?, &x.contiguous()?, 0)
}

/// Each value's share in its group's extreme, worked out on the CPU: only the gradient's path is candle's.
fn shares(x: &Tensor, index: &Index, largest: bool) -> Result<Tensor> {
    let values = cast(&x.detach().to_device(&Device::Cpu)?, DType::F64)?.contiguous()?;
    let width = x.dims().iter().skip(1).product();
    let shares = kernels::extreme::shares(&cpu::slice::<f64>(&values)?, width, index, largest);
    Tensor::from_vec(shares, x.dims(), &Device::Cpu)?
        .to_dtype(x.dtype())?
        .to_device(x.device())
}

/// The k-th items of all groups at a time; a row of ones stands in where a group has fewer.
fn product_composite(x: &Tensor, index: &Index) -> Result<Tensor> {
    let mut dims = x.dims().to_vec();
    if let Some(first) = dims.first_mut() {
        *first = 1;
    }
    let padded = Tensor::cat(&[x, &Tensor::ones(dims.as_slice(), x.dtype(), x.device())?], 0)?;
    if let Some(first) = dims.first_mut() {
        *first = index.num_groups();
    }
    let mut y = Tensor::ones(dims, x.dtype(), x.device())?;
    let sorted = index.sorted();
    let bounds = || sorted.ptr.iter().zip(sorted.ptr.iter().skip(1));
    let most = bounds().map(|(start, end)| end - start).max().unwrap_or(0);
    for k in 0..most {
        let picked: Vec<i64> = bounds()
            .map(|(start, end)| {
                let item = (start + k < *end).then(|| sorted.order.get(start + k));
                item.flatten().map_or(index.len() as i64, |&item| i64::from(item))
            })
            .collect();
        let picked = Tensor::new(picked, x.device())?;
        y = (y * padded.index_select(&picked, 0)?)?;
    }
    Ok(y)
}

fn softmax_composite(x: &Tensor, index: &Index) -> Result<Tensor> {
    let ids = index.tensor(x.device())?;
    let largest = composite(&x.detach(), index, Aggregation::Max)?;
    let exp = (x - largest.index_select(&ids, 0)?)?.exp()?;
    let sums = (sum_composite(&exp, index)? + kernels::softmax::EPS)?;
    exp / sums.index_select(&ids, 0)?
}

/// Values as `[n, 1, …]`, to be broadcast along the rows of x.
fn column(values: Vec<f64>, x: &Tensor) -> Result<Tensor> {
    let mut dims = vec![1; x.rank()];
    if let Some(first) = dims.first_mut() {
        *first = values.len();
    }
    Tensor::from_vec(values, dims, &Device::Cpu)?
        .to_dtype(x.dtype())?
        .to_device(x.device())
}

#[cfg(test)]
mod tests;
