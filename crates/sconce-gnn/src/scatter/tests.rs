use super::*;
use candle_core::Var;
use sconce_testkit::Random;

fn index() -> Index {
    Index::trusted(vec![4, 0, 2, 4, 4, 0, 5], 6)
}

/// The output, and the gradient of its product with weights of its own.
fn run(x: &Var, f: impl Fn(&Tensor) -> Result<Tensor>) -> [Tensor; 2] {
    let y = f(x).unwrap();
    let cot = Random::new(9).normal(y.shape(), DType::F64).unwrap();
    let loss = (&y * cot).unwrap().sum_all().unwrap();
    let grads = loss.backward().unwrap();
    [y.detach(), grads.get(x).unwrap().clone()]
}

fn assert_equal(a: &[Tensor; 2], b: &[Tensor; 2], what: &str) {
    for (a, b) in a.iter().zip(b) {
        let flat = |t: &Tensor| t.flatten_all().unwrap().to_vec1::<f64>().unwrap();
        assert_eq!(a.dims(), b.dims());
        for (a, b) in flat(a).iter().zip(flat(b)) {
            assert!((a - b).abs() <= 1e-14 * (1. + b.abs()), "{what}: {a} and {b}");
        }
    }
}

#[test]
fn kernels_equal_composites() {
    for shape in [&[7, 3][..], &[7], &[7, 2, 2], &[7, 0]] {
        // Rounded, so that there are ties and zeros.
        let x = Random::new(1).normal(shape, DType::F64).unwrap();
        let x = Var::from_tensor(&(x * 2.).unwrap().round().unwrap()).unwrap();
        if x.elem_count() == 0 {
            for (name, aggregation) in Aggregation::ALL {
                assert_eq!(
                    scatter(&x, &index(), aggregation).unwrap().dims(),
                    [6, 0],
                    "{name}"
                );
            }
            assert_eq!(scatter_softmax(&x, &index()).unwrap().dims(), [7, 0]);
            continue;
        }
        for (name, aggregation) in Aggregation::ALL {
            let ours = run(&x, |x| scatter(x, &index(), aggregation));
            let oracle = run(&x, |x| composite(x, &index(), aggregation));
            assert_equal(&ours, &oracle, name);
        }
        let ours = run(&x, |x| scatter_softmax(x, &index()));
        let oracle = run(&x, |x| softmax_composite(x, &index()));
        assert_equal(&ours, &oracle, "softmax");
    }
    let x = Var::from_tensor(&Random::new(2).normal((6, 3), DType::F64).unwrap()).unwrap();
    let ids = index().tensor(&Device::Cpu).unwrap();
    assert_equal(
        &run(&x, |x| gather(x, &index())),
        &run(&x, |x| x.index_select(&ids, 0)),
        "gather",
    );
}

/// As `torch.Tensor.scatter_reduce` does it (executed).
#[test]
fn ties_share_the_gradient_and_nan_wins() {
    let extreme = |values: &[f64], groups: &[u32], count: usize| {
        let x = Var::new(values, &Device::Cpu).unwrap();
        let index = Index::trusted(groups.to_vec(), count);
        let y = scatter(&x, &index, Aggregation::Max).unwrap();
        let grads = y.sum_all().unwrap().backward().unwrap();
        [&y, grads.get(&x).unwrap()].map(|t| t.to_vec1::<f64>().unwrap())
    };
    let [y, dx] = extreme(&[1., 1., 0., 3.], &[0, 0, 0, 2], 4);
    assert_eq!((y, dx), (vec![1., 0., 3., 0.], vec![0.5, 0.5, 0., 1.]));
    let [y, dx] = extreme(&[1., f64::NAN, 0.], &[0, 0, 0], 2);
    assert!(y[0].is_nan() && y[1] == 0. && dx.iter().all(|x| x.is_nan()));
}

#[test]
fn half_precision_runs_the_composite() {
    let x = Tensor::new(&[1f32, 2., 4.], &Device::Cpu)
        .unwrap()
        .to_dtype(DType::BF16)
        .unwrap();
    let index = Index::trusted(vec![1, 1, 0], 2);
    for (aggregation, expected) in [
        (Aggregation::Sum, [4., 3.]),
        (Aggregation::Mean, [4., 1.5]),
        (Aggregation::Max, [4., 2.]),
        (Aggregation::Min, [4., 1.]),
        (Aggregation::Mul, [4., 2.]),
    ] {
        let y = scatter(&x, &index, aggregation).unwrap();
        assert_eq!(
            y.to_dtype(DType::F32).unwrap().to_vec1::<f32>().unwrap(),
            expected
        );
    }
    assert_eq!(gather(&y_of(&x), &index).unwrap().dims(), [3]);
    assert_eq!(scatter_softmax(&x, &index).unwrap().dims(), [3]);
}

fn y_of(x: &Tensor) -> Tensor {
    x.narrow(0, 0, 2).unwrap()
}

#[test]
fn rows_that_do_not_fit_are_errors() {
    let x = Tensor::zeros((3, 2), DType::F64, &Device::Cpu).unwrap();
    let scalar = Tensor::new(1f64, &Device::Cpu).unwrap();
    for x in [&x, &scalar] {
        assert!(
            gather(x, &index())
                .unwrap_err()
                .to_string()
                .contains("[groups = 6, *]")
        );
        let error = scatter(x, &index(), Aggregation::Sum).unwrap_err();
        assert!(error.to_string().contains("[items = 7, *]"));
        assert!(scatter_softmax(x, &index()).is_err());
    }
    let ints = Tensor::zeros(7, DType::I64, &Device::Cpu).unwrap();
    assert!(scatter_softmax(&ints, &index()).is_err());
}

#[test]
fn names() {
    for (name, aggregation) in Aggregation::ALL {
        assert_eq!(name.parse::<Aggregation>().unwrap(), aggregation);
    }
    assert_eq!("add".parse::<Aggregation>().unwrap(), Aggregation::Sum);
    assert!("median".parse::<Aggregation>().is_err());
}
