//! Weighted sums over neighbours.

use crate::graph::Graph;
use crate::kernels;
use crate::scatter::{check_rows, sum_composite};
use candle_core::{Result, Tensor};
use sconce_core::{Error, cpu, dispatch_real, graph};

/// The sum of every node's incoming messages w·x, without storing them: y\[t\] = Σ w\[e\]·x\[s\] over the edges e from s to t.
///
/// It is the product of the (transposed, sparse) adjacency matrix with x. Weights of two axes hold one value for each *head*,
/// that is, for each row along the second axis of x.
///
/// # Shapes
/// x `[num_sources, *]`; weight `[num_edges]`, or `[num_edges, heads]` with x `[num_sources, heads, *]`; output
/// `[num_targets, *]`
/// # Errors
/// The shapes don't fit, or x and the weight differ in dtype.
/// # Source
/// `torch_geometric.utils.spmm`
/// # Example
/// ```
/// use sconce_core::candle_core::{Device, Tensor};
/// use sconce_gnn::{Graph, spmm};
/// let graph = Graph::new(3, &Tensor::new(&[[0i64, 1], [2, 2]], &Device::Cpu)?)?;
/// let x = Tensor::new(&[[1f64], [10.], [100.]], &Device::Cpu)?;
/// let weight = Tensor::new(&[2f64, 3.], &Device::Cpu)?;
/// assert_eq!(spmm(&graph, Some(&weight), &x)?.to_vec2::<f64>()?, [[0.], [0.], [32.]]);
/// # Ok::<(), sconce_core::Error>(())
/// ```
pub fn spmm(graph: &Graph, weight: Option<&Tensor>, x: &Tensor) -> Result<Tensor> {
    check_rows("spmm", x, graph.num_sources(), "num_sources")?;
    let heads = match weight {
        Some(weight) => heads(graph, weight, x)?,
        None => 1,
    };
    let (source, target) = (graph.source(), graph.target());
    if cpu::has_kernel(x) {
        return dispatch_real!(x, kernels::spmm::forward(x, weight, heads, source, target));
    }
    let y = composite(graph, weight, x)?;
    let inputs: Vec<&Tensor> = std::iter::once(x).chain(weight).collect();
    graph::note("spmm", &inputs, std::slice::from_ref(&y));
    Ok(y)
}

/// How many heads the weight has, if it fits.
fn heads(graph: &Graph, weight: &Tensor, x: &Tensor) -> Result<usize> {
    if weight.dtype() != x.dtype() {
        let expected = format!("{:?}, that of x", x.dtype());
        return Err(Error::DType {
            layer: "spmm".into(),
            argument: "weight",
            expected,
            got: weight.dtype(),
        }
        .into());
    }
    let edges = graph.num_edges();
    match (weight.dims(), x.dims()) {
        (&[n], _) if n == edges => Ok(1),
        (&[n, heads], &[_, h, ..]) if n == edges && h == heads => Ok(heads),
        (_, dims) => {
            let heads = dims
                .get(1)
                .map_or(String::new(), |h| format!(" or [{edges}, heads = {h}]"));
            let expected = format!("[num_edges = {edges}]{heads}");
            Err(Error::shape("spmm", "weight", expected, weight.dims()).into())
        }
    }
}

/// The same from candle operations: the oracle of the kernel, and what runs on other devices.
fn composite(graph: &Graph, weight: Option<&Tensor>, x: &Tensor) -> Result<Tensor> {
    let mut messages = x.index_select(&graph.source().tensor(x.device())?, 0)?;
    if let Some(weight) = weight {
        let mut dims = weight.dims().to_vec();
        dims.resize(x.rank(), 1);
        messages = messages.broadcast_mul(&weight.reshape(dims)?)?;
    }
    sum_composite(&messages, graph.target())
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::{DType, Device, Var};
    use sconce_testkit::Random;

    #[test]
    fn kernel_equals_composite() {
        let mut random = Random::new(1);
        let edges = Tensor::new(&[[0i64, 1, 1, 3, 0, 0], [2, 0, 2, 3, 2, 1]], &Device::Cpu).unwrap();
        let graph = Graph::new(5, &edges).unwrap();
        let shapes: [(&[usize], Option<&[usize]>); 5] = [
            (&[5, 3], None),
            (&[5, 3], Some(&[6])),
            (&[5], Some(&[6])),
            (&[5, 2, 3], Some(&[6, 2])),
            (&[5, 3], Some(&[6, 3])),
        ];
        for (x, weight) in shapes {
            let mut var =
                |shape: &[usize]| Var::from_tensor(&random.normal(shape, DType::F64).unwrap()).unwrap();
            let x = var(x);
            let weight = weight.map(var);
            let weight = weight.as_ref().map(|w| w.as_tensor());
            let run = |y: Tensor| {
                let cot = Random::new(2).normal(y.shape(), DType::F64).unwrap();
                let grads = (&y * cot).unwrap().sum_all().unwrap().backward().unwrap();
                let mut all = vec![y, grads.get(&x).unwrap().clone()];
                all.extend(weight.map(|w| grads.get(w).unwrap().clone()));
                all
            };
            let ours = run(spmm(&graph, weight, &x).unwrap());
            let oracle = run(composite(&graph, weight, &x).unwrap());
            assert_eq!(ours.len(), oracle.len());
            for (a, b) in ours.iter().zip(&oracle) {
                assert_eq!(a.dims(), b.dims());
                let error = (a - b).unwrap().abs().unwrap().sum_all().unwrap();
                assert!(error.to_scalar::<f64>().unwrap() < 1e-13);
            }
        }
    }

    #[test]
    fn weights_that_do_not_fit_are_errors() {
        let graph = Graph::new(2, &Tensor::new(&[[0i64], [1]], &Device::Cpu).unwrap()).unwrap();
        let zeros = |shape: &[usize], dtype| Tensor::zeros(shape, dtype, &Device::Cpu).unwrap();
        let x = zeros(&[2, 3], DType::F64);
        for (weight, message) in [
            (zeros(&[2], DType::F64), "[num_edges = 1] or [1, heads = 3]"),
            (zeros(&[1, 2], DType::F64), "[num_edges = 1] or [1, heads = 3]"),
            (zeros(&[], DType::F64), "[num_edges = 1]"),
            (zeros(&[1], DType::F32), "expected F64, that of x"),
        ] {
            let error = spmm(&graph, Some(&weight), &x).unwrap_err().to_string();
            assert!(error.contains(message), "{error}");
        }
        assert!(spmm(&graph, None, &zeros(&[3, 3], DType::F64)).is_err());
        // Nothing of width nothing.
        let weight = zeros(&[1, 0], DType::F64);
        assert_eq!(
            spmm(&graph, Some(&weight), &zeros(&[2, 0, 4], DType::F64))
                .unwrap()
                .dims(),
            [2, 0, 4]
        );
    }
}
