use super::*;
use candle_core::{DType, Device, Var};
use proptest::prelude::*;
use sconce_testkit::{Random, assert_gradients};

fn close(a: &Tensor, b: &Tensor) -> bool {
    let largest = |t: Tensor| {
        t.abs()
            .unwrap()
            .flatten_all()
            .unwrap()
            .max(0)
            .unwrap()
            .to_scalar::<f64>()
            .unwrap()
    };
    a.dims() == b.dims() && largest((a - b).unwrap()) <= 1e-14 * (1. + largest(b.clone()))
}

fn normal(seed: u64, shape: &[usize]) -> Tensor {
    Random::new(seed).normal(shape, DType::F64).unwrap()
}

#[test]
fn a_boolean_mask_keeps_and_an_additive_one_adds() {
    let (q, k, v) = (
        normal(1, &[2, 3, 4]),
        normal(2, &[2, 5, 4]),
        normal(3, &[2, 5, 3]),
    );
    let keep = Tensor::new(
        &[[1u8, 0, 1, 1, 0], [1, 1, 1, 1, 1], [0, 0, 0, 0, 1]],
        &Device::Cpu,
    )
    .unwrap();
    let added = keep.to_dtype(DType::F64).unwrap().log().unwrap();
    let with = |mask| {
        let options = AttentionOptions {
            attn_mask: Some(mask),
            ..AttentionOptions::default()
        };
        scaled_dot_product_attention(&q, &k, &v, &options).unwrap()
    };
    assert!(close(&with(&keep), &with(&added)));
    // The last query sees one value alone.
    let last = with(&keep).narrow(1, 2, 1).unwrap();
    assert!(close(&last, &v.narrow(1, 4, 1).unwrap()));
}

#[test]
fn a_query_without_keys_gives_zero_and_passes_nothing_back() {
    let (k, v) = (normal(2, &[4, 2]), normal(3, &[4, 2]));
    let q = Var::from_tensor(&normal(1, &[2, 2])).unwrap();
    let keep = Tensor::new(&[[0u8, 0, 0, 0], [1, 1, 0, 1]], &Device::Cpu).unwrap();
    let options = AttentionOptions {
        attn_mask: Some(&keep),
        ..AttentionOptions::default()
    };
    let y = scaled_dot_product_attention(&q, &k, &v, &options).unwrap();
    let grad = y.sum_all().unwrap().backward().unwrap().remove(&q).unwrap();
    assert_eq!(y.to_vec2::<f64>().unwrap()[0], [0., 0.]);
    let grad = grad.to_vec2::<f64>().unwrap();
    assert_eq!(grad[0], [0., 0.]);
    assert!(grad[1].iter().all(|g| g.is_finite() && *g != 0.));
}

#[test]
fn a_mask_of_one_number_is_every_keys() {
    let x = normal(1, &[1, 1]);
    let mask = Tensor::new(0.5, &Device::Cpu).unwrap();
    let options = AttentionOptions {
        attn_mask: Some(&mask),
        ..AttentionOptions::default()
    };
    assert!(close(
        &scaled_dot_product_attention(&x, &x, &x, &options).unwrap(),
        &x
    ));
}

#[test]
fn causal_is_aligned_to_the_upper_left() {
    let (q, k, v) = (normal(1, &[2, 3]), normal(2, &[4, 3]), normal(3, &[4, 3]));
    let options = AttentionOptions {
        is_causal: true,
        ..AttentionOptions::default()
    };
    let y = scaled_dot_product_attention(&q, &k, &v, &options).unwrap();
    assert!(close(&y.narrow(0, 0, 1).unwrap(), &v.narrow(0, 0, 1).unwrap()));
    let first_two = |t: &Tensor| t.narrow(0, 0, 2).unwrap();
    let part = scaled_dot_product_attention(&q, &first_two(&k), &first_two(&v), &options).unwrap();
    assert!(close(&y, &part));
}

#[test]
fn shared_heads_are_repeated_one_after_the_other() {
    let (q, k, v) = (
        normal(1, &[1, 4, 3, 2]),
        normal(2, &[1, 2, 5, 2]),
        normal(3, &[1, 2, 5, 2]),
    );
    let options = AttentionOptions {
        enable_gqa: true,
        ..AttentionOptions::default()
    };
    let y = scaled_dot_product_attention(&q, &k, &v, &options).unwrap();
    for head in 0..4 {
        let of = |t: &Tensor, i| t.narrow(1, i, 1).unwrap();
        let one = scaled_dot_product_attention(
            &of(&q, head),
            &of(&k, head / 2),
            &of(&v, head / 2),
            &AttentionOptions::default(),
        );
        assert!(close(&of(&y, head), &one.unwrap()));
    }
}

#[test]
fn gradients_of_queries_keys_values_and_mask() {
    let (q, k, v) = (
        normal(1, &[2, 3, 4]),
        normal(2, &[2, 5, 4]),
        normal(3, &[2, 5, 3]),
    );
    let mask = normal(4, &[3, 5]);
    let inputs = [("q", &q), ("k", &k), ("v", &v)];
    for (is_causal, scale) in [(false, None), (true, Some(0.7))] {
        let options = AttentionOptions {
            is_causal,
            scale,
            ..AttentionOptions::default()
        };
        let free = if is_causal { 3 } else { 5 };
        let [k, v] = [&k, &v].map(|t| t.narrow(1, 0, free).unwrap());
        assert_gradients(&[("q", &q), ("k", &k), ("v", &v)], |t: &[Tensor]| {
            scaled_dot_product_attention(&t[0], &t[1], &t[2], &options)
        });
    }
    let with_mask = [&inputs[..], &[("mask", &mask)]].concat();
    assert_gradients(&with_mask, |t: &[Tensor]| {
        let options = AttentionOptions {
            attn_mask: Some(&t[3]),
            ..AttentionOptions::default()
        };
        scaled_dot_product_attention(&t[0], &t[1], &t[2], &options)
    });
    let (q, k, v) = (
        normal(1, &[2, 4, 3, 2]),
        normal(2, &[2, 2, 5, 2]),
        normal(3, &[2, 2, 5, 3]),
    );
    assert_gradients(&[("q", &q), ("k", &k), ("v", &v)], |t: &[Tensor]| {
        let options = AttentionOptions {
            enable_gqa: true,
            ..AttentionOptions::default()
        };
        scaled_dot_product_attention(&t[0], &t[1], &t[2], &options)
    });
}

#[test]
fn what_does_not_fit_is_named() {
    let x = |dims: &[usize]| Tensor::zeros(dims, DType::F64, &Device::Cpu).unwrap();
    let message = |q: &Tensor, k: &Tensor, v: &Tensor, options: &AttentionOptions<'_>| {
        Error::from(scaled_dot_product_attention(q, k, v, options).unwrap_err()).to_string()
    };
    let plain = AttentionOptions::default();
    let good = x(&[2, 3, 4]);
    let cases = [
        (
            message(&x(&[4]), &good, &good, &plain),
            "query has shape [4], expected [*, queries, d ≥ 1]",
        ),
        (
            message(&good, &x(&[2, 0, 4]), &good, &plain),
            "key has shape [2, 0, 4], expected [2, keys ≥ 1, d = 4]",
        ),
        (
            message(&good, &x(&[1, 3, 4]), &good, &plain),
            "key has shape [1, 3, 4], expected [2, keys ≥ 1, d = 4]",
        ),
        (
            message(&good, &good, &x(&[2, 4, 4]), &plain),
            "value has shape [2, 4, 4], expected [2, keys = 3, dv]",
        ),
        (
            message(
                &good,
                &good,
                &good,
                &AttentionOptions {
                    dropout_p: 2.,
                    ..plain.clone()
                },
            ),
            "dropout_p is 2, expected a probability",
        ),
        (
            message(
                &good,
                &good,
                &good,
                &AttentionOptions {
                    attn_mask: Some(&x(&[2, 2])),
                    ..plain.clone()
                },
            ),
            "attn_mask has shape [2, 2], expected one that broadcasts to [2, 3, 3]",
        ),
        (
            message(
                &good,
                &good,
                &good,
                &AttentionOptions {
                    attn_mask: Some(&good),
                    is_causal: true,
                    ..plain.clone()
                },
            ),
            "is_causal is true, expected false where an attn_mask is given",
        ),
        (
            message(&good, &x(&[2, 3, 4]).to_dtype(DType::F32).unwrap(), &good, &plain),
            "key has dtype F32",
        ),
    ];
    for (message, expected) in cases {
        assert!(message.contains(expected), "{message}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn any_shapes_give_a_value_or_an_error(
        q in prop::collection::vec(0usize..4, 0..5),
        k in prop::collection::vec(0usize..4, 0..5),
        same in any::<bool>(),
        mask in prop::option::of(prop::collection::vec(0usize..4, 0..4)),
        boolean in any::<bool>(),
        is_causal in any::<bool>(),
        enable_gqa in any::<bool>(),
        dropout_p in prop::sample::select(vec![0., 0.5, 1., 1.5]),
    ) {
        let q = normal(1, &q);
        let k = if same { q.clone() } else { normal(2, &k) };
        let mask = mask.map(|dims| {
            let mask = normal(3, &dims);
            if boolean { mask.gt(0.).unwrap() } else { mask }
        });
        let options = AttentionOptions { attn_mask: mask.as_ref(), dropout_p, is_causal, scale: None, enable_gqa };
        if let Ok(y) = scaled_dot_product_attention(&q, &k, &k, &options) {
            prop_assert_eq!(y.dims(), q.dims());
            let finite = y.flatten_all().unwrap().to_vec1::<f64>().unwrap().iter().all(|y| y.is_finite());
            prop_assert!(finite);
        }
    }
}
