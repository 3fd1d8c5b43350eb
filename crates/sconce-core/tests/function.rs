//! What a [`Function`] must survive.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "helpers of tests fail as tests do"
)]

use candle_core::{D, DType, Device, Result, Tensor, Var};
use sconce_core::{
    Backward, Function, Init, Output, ParamStore, apply, apply1, backward, function, no_grad, param,
};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

fn values(tensor: &Tensor) -> Vec<f64> {
    tensor.flatten_all().unwrap().to_vec1().unwrap()
}

fn var(values: &[f64]) -> Var {
    Var::new(values, &Device::Cpu).unwrap()
}

/// Σ_i (i+1)·x_i and Π_i x_i over any number of inputs of one shape.
#[derive(Default, Clone)]
struct SumProduct {
    fail: Arc<AtomicBool>,
    backwards: Arc<AtomicUsize>,
    /// Counts the saved contexts that are alive.
    alive: Arc<()>,
}

impl Function for SumProduct {
    type Saved = (Vec<Tensor>, Arc<()>);

    fn name(&self) -> &'static str {
        "sum_product"
    }

    fn forward(&self, inputs: &[Tensor], _: &[bool]) -> Result<(Vec<Output>, Self::Saved)> {
        let n = inputs[0].elem_count();
        let (mut sum, mut product) = (vec![0.; n], vec![1.; n]);
        for (i, input) in inputs.iter().enumerate() {
            assert!(!input.track_op() && input.is_contiguous());
            for (j, x) in sconce_core::cpu::slice::<f64>(input)?.iter().enumerate() {
                sum[j] += (i + 1) as f64 * x;
                product[j] *= x;
            }
        }
        let shape = inputs[0].shape();
        Ok((
            vec![Output::new(sum, shape)?, Output::new(product, shape)?],
            (inputs.to_vec(), self.alive.clone()),
        ))
    }

    fn backward(&self, ctx: &Backward<Self::Saved>, grads: &[Option<Tensor>]) -> Result<Vec<Option<Tensor>>> {
        self.backwards.fetch_add(1, Ordering::SeqCst);
        if self.fail.load(Ordering::SeqCst) {
            candle_core::bail!("asked to fail")
        }
        let inputs = &ctx.saved.0;
        (0..inputs.len())
            .map(|i| {
                if !ctx.wants(i) {
                    return Ok(None);
                }
                let mut total: Option<Tensor> = None;
                if let Some(sum) = &grads[0] {
                    total = Some((sum * (i + 1) as f64)?);
                }
                if let Some(product) = &grads[1] {
                    let mut term = product.clone();
                    for (j, other) in inputs.iter().enumerate() {
                        if j != i {
                            term = (term * other)?;
                        }
                    }
                    total = Some(match total {
                        Some(total) => (total + term)?,
                        None => term,
                    });
                }
                Ok(total)
            })
            .collect()
    }
}

/// y = x², from its output's square root up: it keeps its output.
struct Square;

impl Function for Square {
    type Saved = Tensor;

    fn name(&self) -> &'static str {
        "square"
    }

    fn forward(&self, inputs: &[Tensor], _: &[bool]) -> Result<(Vec<Output>, Tensor)> {
        let squares = sconce_core::cpu::slice::<f64>(&inputs[0])?
            .iter()
            .map(|x| x * x)
            .collect();
        Ok((vec![Output::new(squares, inputs[0].shape())?], inputs[0].clone()))
    }

    fn backward(&self, ctx: &Backward<Tensor>, grads: &[Option<Tensor>]) -> Result<Vec<Option<Tensor>>> {
        assert!(ctx.outputs.iter().all(|output| !output.track_op()));
        // 2·y/x, so that both the output and the input matter.
        let slope = ((&ctx.outputs[0] / ctx.saved)? * 2.)?;
        Ok(vec![grads[0].as_ref().map(|grad| grad * slope).transpose()?])
    }

    fn keeps_outputs(&self) -> bool {
        true
    }
}

fn square(x: &Tensor) -> Tensor {
    apply1(Square, &[x]).unwrap()
}

/// What [`SumProduct`] computes from plain candle operations: the oracle.
fn plain(inputs: &[&Tensor]) -> [Tensor; 2] {
    let (mut sum, mut product) = (inputs[0].clone(), inputs[0].clone());
    for (i, input) in inputs.iter().enumerate().skip(1) {
        sum = (sum + (*input * (i + 1) as f64).unwrap()).unwrap();
        product = (product * *input).unwrap();
    }
    [sum, product]
}

fn weighted(outputs: &[Tensor]) -> Tensor {
    let [a, b] = outputs else { panic!() };
    ((a.sqr().unwrap() + (b * 3.).unwrap()).unwrap())
        .sum_all()
        .unwrap()
}

#[test]
fn any_number_of_inputs() {
    for n in 1..=7 {
        let vars: Vec<Var> = (0..n)
            .map(|i| var(&[0.5 + i as f64, -1.2, 0.3 * (i + 1) as f64]))
            .collect();
        let inputs: Vec<&Tensor> = vars.iter().map(|v| v.as_tensor()).collect();
        let ours = weighted(&apply(SumProduct::default(), &inputs).unwrap())
            .backward()
            .unwrap();
        let oracle = weighted(&plain(&inputs)).backward().unwrap();
        for input in inputs {
            let (a, b) = (
                values(ours.get(input).unwrap()),
                values(oracle.get(input).unwrap()),
            );
            assert!(
                a.iter().zip(&b).all(|(a, b)| (a - b).abs() < 1e-12),
                "{n} inputs: {a:?} {b:?}"
            );
        }
    }
}

#[test]
fn the_same_tensor_as_several_inputs() {
    let x = var(&[2., 3.]);
    let y = square(&x);
    for input in [x.as_tensor(), &y] {
        let inputs = [input, input, input];
        let ours = weighted(&apply(SumProduct::default(), &inputs).unwrap())
            .backward()
            .unwrap();
        let oracle = weighted(&plain(&inputs)).backward().unwrap();
        assert_eq!(values(ours.get(&x).unwrap()), values(oracle.get(&x).unwrap()));
    }
}

#[test]
fn an_output_without_gradient_is_none_and_an_unwanted_input_costs_nothing() {
    let (x, constant) = (var(&[2., 3.]), Tensor::new(&[5f64, 7.], &Device::Cpu).unwrap());
    let call = SumProduct::default();
    let outputs = apply(call.clone(), &[&x, &constant]).unwrap();
    let first = outputs[0].sum_all().unwrap().backward().unwrap();
    assert_eq!(values(first.get(&x).unwrap()), [1., 1.]);
    assert!(first.get(&constant).is_none());
    let second = outputs[1].sum_all().unwrap().backward().unwrap();
    assert_eq!(values(second.get(&x).unwrap()), [5., 7.]);
    assert_eq!(call.backwards.load(Ordering::SeqCst), 2, "one backward a pass");
}

#[test]
fn strided_and_broadcast_inputs() {
    let x = Var::new(&[[1f64, 2., 3.], [4., 5., 6.]], &Device::Cpu).unwrap();
    let row = Var::new(&[[0.5f64], [2.], [3.]], &Device::Cpu).unwrap();
    let (a, b) = (x.t().unwrap(), row.broadcast_as((3, 2)).unwrap());
    let c = x.narrow(1, 0, 2).unwrap().reshape((2, 2)).unwrap();
    for inputs in [vec![&a, &b], vec![&c, &c]] {
        let ours = weighted(&apply(SumProduct::default(), &inputs).unwrap())
            .backward()
            .unwrap();
        let oracle = weighted(&plain(&inputs)).backward().unwrap();
        for variable in [&x, &row] {
            assert_eq!(ours.get(variable).map(values), oracle.get(variable).map(values));
        }
    }
}

#[test]
fn a_graph_can_be_walked_again() {
    let x = var(&[2., 3.]);
    let loss = weighted(&apply(SumProduct::default(), &[&square(&x), &x]).unwrap());
    let first = values(loss.backward().unwrap().get(&x).unwrap());
    assert_eq!(values(loss.backward().unwrap().get(&x).unwrap()), first);
}

#[test]
fn after_a_pass_that_failed_half_way_the_next_is_right() {
    let x = var(&[2., 3.]);
    let fragile = SumProduct::default();
    // The two consumers of y run before the fragile node does, so their deposits are left behind when it fails.
    let y = square(&x);
    let z = apply(fragile.clone(), &[&y, &x]).unwrap();
    let loss = weighted(&apply(SumProduct::default(), &[&z[0], &z[1], &y]).unwrap());
    let right = values(loss.backward().unwrap().get(&x).unwrap());
    fragile.fail.store(true, Ordering::SeqCst);
    for _ in 0..3 {
        assert!(loss.backward().unwrap_err().to_string().contains("asked to fail"));
    }
    fragile.fail.store(false, Ordering::SeqCst);
    assert_eq!(values(loss.backward().unwrap().get(&x).unwrap()), right);
}

#[test]
fn two_threads_walk_one_graph() {
    let x = var(&[2., 3.]);
    let y = square(&x);
    let z = apply(SumProduct::default(), &[&y, &x, &y]).unwrap();
    let loss = weighted(&z);
    let right = values(loss.backward().unwrap().get(&x).unwrap());
    std::thread::scope(|s| {
        for _ in 0..4 {
            s.spawn(|| {
                for _ in 0..200 {
                    assert_eq!(values(loss.backward().unwrap().get(&x).unwrap()), right);
                }
            });
        }
    });
}

/// As many nodes as docs promise on a thread of Rust's default stack size.
#[test]
fn chains_of_a_thousand_nodes() {
    std::thread::Builder::new()
        .stack_size(2 << 20)
        .spawn(|| {
            let x = var(&[1.]);
            let mut y = x.as_tensor().clone();
            for _ in 0..1000 {
                y = apply(SumProduct::default(), &[&y, &x, &x])
                    .unwrap()
                    .swap_remove(1);
            }
            let grads = y.sum_all().unwrap().backward().unwrap();
            assert_eq!(values(grads.get(&x).unwrap()), [2001.]);
        })
        .unwrap()
        .join()
        .unwrap();
}

#[test]
fn nothing_outlives_the_graph_and_no_grad_keeps_nothing() {
    let x = var(&[2., 3.]);
    let call = SumProduct::default();
    let outputs = apply(call.clone(), &[&square(&x)]).unwrap();
    let loss = weighted(&outputs);
    loss.backward().unwrap();
    assert_eq!(
        Arc::strong_count(&call.alive),
        3,
        "the call, the node's copy of it, the context"
    );
    drop((outputs, loss));
    assert_eq!(Arc::strong_count(&call.alive), 1);
    let kept = no_grad(|| apply(call.clone(), &[&x])).unwrap();
    assert!(kept.iter().all(|output| !output.track_op()));
    assert_eq!(Arc::strong_count(&call.alive), 1);
}

#[test]
fn named_gradients_equal_candles_own() {
    let store = ParamStore::new(DType::F64, &Device::Cpu).seeded(1);
    let vb = store.builder();
    let normal = Init::Normal { mean: 0., std: 1. };
    let [a, b] = ["a", "b"].map(|name| param(&vb, (2, 3), name, &normal).unwrap());
    let c = param(&vb, (3, 2), "c", &normal).unwrap();
    param(&vb, 1, "unused", &normal).unwrap();
    let (a, b, c) = (a.tensor(), b.tensor(), c.tensor());
    // Each parameter is used by functions and by plain operations, several times.
    let mut loss = (a.matmul(&c).unwrap().sum_all().unwrap() * 0.5).unwrap();
    for _ in 0..3 {
        let z = apply(SumProduct::default(), &[&a, &b, &c.t().unwrap()]).unwrap();
        let mixed = (square(&z[0]) + b.exp().unwrap()).unwrap();
        let flat = function::reshape(&square(&mixed), 6).unwrap();
        loss = (loss
            + weighted(
                &apply(
                    SumProduct::default(),
                    &[&flat, &function::reshape(&z[1], 6).unwrap()],
                )
                .unwrap(),
            ))
        .unwrap();
    }
    let named = backward(&loss, &store).unwrap();
    let oracle = loss.backward().unwrap();
    for (name, tensor) in [("a", &a), ("b", &b), ("c", &c)] {
        let (x, y) = (
            values(named.get(name).unwrap()),
            values(oracle.get(tensor).unwrap()),
        );
        assert!(
            x.iter().zip(&y).all(|(x, y)| (x - y).abs() <= 1e-12 * y.abs()),
            "{name}: {x:?} {y:?}"
        );
    }
    assert_eq!(
        named.iter().map(|(name, _)| name).collect::<Vec<_>>(),
        ["a", "b", "c"]
    );
    assert_eq!(named.missing(), ["unused"]);
}

#[test]
fn a_view_between_functions_keeps_its_gradient() {
    let x = Var::new(&[[1f64, 2.], [3., 4.]], &Device::Cpu).unwrap();
    let y = function::reshape(&square(&x), 4).unwrap();
    let z = square(&y);
    // The view is used by a plain operation too.
    let loss = (z.sum_all().unwrap() + y.sum(D::Minus1).unwrap()).unwrap();
    let grads = loss.backward().unwrap();
    let expected: Vec<f64> = [1f64, 2., 3., 4.]
        .iter()
        .map(|x| 4. * x.powi(3) + 2. * x)
        .collect();
    assert_eq!(values(grads.get(&x).unwrap()), expected);
}

#[test]
fn a_backward_inside_a_backward_keeps_its_gradients_to_itself() {
    /// y = Σ x², whose backward runs a backward pass of its own.
    struct Nested;
    impl Function for Nested {
        type Saved = Tensor;
        fn name(&self) -> &'static str {
            "nested"
        }
        fn forward(&self, inputs: &[Tensor], _: &[bool]) -> Result<(Vec<Output>, Tensor)> {
            Ok((
                vec![Output::copy_of(&inputs[0].sqr()?.sum_all()?)?],
                inputs[0].clone(),
            ))
        }
        fn backward(&self, ctx: &Backward<Tensor>, grads: &[Option<Tensor>]) -> Result<Vec<Option<Tensor>>> {
            let x = Var::from_tensor(ctx.saved)?;
            let inner = square(&x).sum_all()?.backward()?;
            let slope = inner.get(&x).cloned();
            Ok(vec![
                slope
                    .map(|slope| slope.broadcast_mul(grads[0].as_ref().unwrap()))
                    .transpose()?,
            ])
        }
    }
    let store = ParamStore::new(DType::F64, &Device::Cpu);
    let w = param(&store.builder(), 2, "w", &Init::Const(3.)).unwrap();
    let loss = apply1(Nested, &[&w.tensor()]).unwrap();
    assert_eq!(
        values(backward(&loss, &store).unwrap().get("w").unwrap()),
        [6., 6.]
    );
}

#[test]
fn a_wrong_backward_is_named() {
    struct Wrong(bool);
    impl Function for Wrong {
        type Saved = ();
        fn name(&self) -> &'static str {
            "wrong"
        }
        fn forward(&self, inputs: &[Tensor], _: &[bool]) -> Result<(Vec<Output>, ())> {
            Ok((vec![Output::copy_of(&inputs[0])?], ()))
        }
        fn backward(&self, _: &Backward<()>, grads: &[Option<Tensor>]) -> Result<Vec<Option<Tensor>>> {
            let grad = grads[0].clone().unwrap();
            Ok(if self.0 {
                vec![Some(grad.narrow(0, 0, 1)?)]
            } else {
                vec![]
            })
        }
    }
    for (narrowed, message) in [
        (true, "wrong: gradient has shape [1]"),
        (false, "wrong gave 0 gradients for 1 inputs"),
    ] {
        let x = var(&[2., 3.]);
        let loss = apply1(Wrong(narrowed), &[&x]).unwrap().sum_all().unwrap();
        let error = sconce_core::Error::from(loss.backward().unwrap_err());
        assert!(error.to_string().contains(message), "{error}");
    }
}

#[test]
fn a_loss_that_trains_nothing_is_an_error() {
    let store = ParamStore::new(DType::F64, &Device::Cpu);
    let w = param(&store.builder(), 2, "w", &Init::Const(3.)).unwrap();
    let cut = w.tensor().detach().sum_all().unwrap();
    assert!(
        backward(&cut, &store)
            .unwrap_err()
            .to_string()
            .contains("depends on no parameter")
    );
    assert!(
        backward(&w.tensor(), &store)
            .unwrap_err()
            .to_string()
            .contains("shape [2]")
    );
    let ungraphed = no_grad(|| w.tensor().sum_all()).unwrap();
    assert!(backward(&ungraphed, &store).is_err());
}
