use super::*;
use candle_core::{Device, Var};

#[test]
fn kernel_equals_composite() {
    let weight = Var::randn(0f64, 1., (7, 5), &Device::Cpu).unwrap();
    let list = vec![3usize, 0, 6, 3, 3, 2];
    let ids = Tensor::from_vec(list.iter().map(|&i| i as i64).collect(), 6, &Device::Cpu).unwrap();
    for (padding_idx, scale_grad_by_freq) in [(None, false), (Some(3), false), (None, true), (Some(3), true)]
    {
        let options = Lookup {
            padding_idx,
            scale_grad_by_freq,
        };
        let ours = kernels::embedding::forward::<f64>(&weight, list.clone(), options).unwrap();
        let oracle = composite(&weight, &ids, &list, options).unwrap();
        let grad = |y: &Tensor| {
            let cotangent = Tensor::arange(0f64, 30., &Device::Cpu)
                .unwrap()
                .reshape((6, 5))
                .unwrap();
            let grads = (y * cotangent).unwrap().sum_all().unwrap().backward().unwrap();
            grads.get(&weight).unwrap().to_vec2::<f64>().unwrap()
        };
        crate::tests::assert_close(&ours.detach(), &oracle.detach(), 1e-15);
        for (a, b) in grad(&ours).iter().flatten().zip(grad(&oracle).iter().flatten()) {
            assert!((a - b).abs() <= 1e-14 * b.abs());
        }
        assert_eq!(grad(&ours)[3] == vec![0.; 5], padding_idx.is_some());
    }
}

#[test]
fn an_id_out_of_range_is_named() {
    let store = sconce_core::ParamStore::new(DType::F32, &Device::Cpu);
    let layer = Embedding::new(&EmbeddingConfig::new(4, 2), store.builder().pp("tokens")).unwrap();
    for bad in [4i64, -1] {
        let error = layer
            .forward(&Tensor::new(&[[0i64, 1], [bad, 2]], &Device::Cpu).unwrap())
            .unwrap_err();
        let message = Error::from(error).to_string();
        assert_eq!(
            message,
            format!("tokens (Embedding): ids[2] is {bad}, expected 0 to 3")
        );
    }
    let floats = Tensor::new(&[0f32], &Device::Cpu).unwrap();
    assert!(layer.forward(&floats).is_err());
}

fn layer(cfg: EmbeddingConfig, rows: Vec<[f64; 2]>) -> (sconce_core::ParamStore, Embedding) {
    let store = sconce_core::ParamStore::new(DType::F64, &Device::Cpu);
    let layer = Embedding::new(&cfg, store.builder()).unwrap();
    store
        .set(
            "weight",
            &Tensor::new(rows.concat(), &Device::Cpu)
                .unwrap()
                .reshape(((), 2))
                .unwrap(),
        )
        .unwrap();
    (store, layer)
}

/// The figures of PyTorch 2.15.
#[test]
fn rows_that_are_looked_up_are_shortened_in_place() {
    let rows = vec![[3., 4.], [6., 8.], [5., 12.], [0.1, 0.]];
    for (norm_type, short) in [
        (2., [0.6, 0.8]),
        (1., [3. / 7., 4. / 7.]),
        (f64::INFINITY, [0.75, 1.]),
        (0.5, [0.21539030917347246, 0.2871870788979633]),
    ] {
        let cfg = EmbeddingConfig {
            max_norm: Some(1.),
            norm_type,
            padding_idx: Some(3),
            ..EmbeddingConfig::new(4, 2)
        };
        let (store, layer) = layer(cfg, rows.clone());
        let y = layer
            .forward(&Tensor::new(&[0u32, 0, 3], &Device::Cpu).unwrap())
            .unwrap();
        let weight = store.get("weight").unwrap().to_vec2::<f64>().unwrap();
        for (a, b) in weight[0].iter().zip(short) {
            assert!((a - b).abs() < 1e-7, "{norm_type}: {weight:?}");
        }
        assert_eq!(
            y.to_vec2::<f64>().unwrap(),
            [weight[0].clone(), weight[0].clone(), vec![0.1, 0.]]
        );
        assert_eq!(weight[1..], [vec![6., 8.], vec![5., 12.], vec![0.1, 0.]]);
    }
}

#[test]
fn gradients_are_shared_among_the_uses_of_a_row() {
    let cfg = EmbeddingConfig {
        scale_grad_by_freq: true,
        ..EmbeddingConfig::new(3, 2)
    };
    let (store, layer) = layer(cfg, vec![[1., 2.], [3., 4.], [5., 6.]]);
    let y = layer
        .forward(&Tensor::new(&[0i64, 1, 1, 1], &Device::Cpu).unwrap())
        .unwrap();
    let factors = Tensor::new(&[[1f64], [1.], [2.], [6.]], &Device::Cpu).unwrap();
    let loss = y.broadcast_mul(&factors).unwrap().sum_all().unwrap();
    let gradients = sconce_core::backward(&loss, &store).unwrap();
    let gradient = gradients.get("weight").unwrap().to_vec2::<f64>().unwrap();
    assert_eq!(gradient, [[1., 1.], [3., 3.], [0., 0.]]);
}

#[test]
fn bad_options_are_named() {
    let base = || EmbeddingConfig::new(4, 2);
    for (cfg, message) in [
        (EmbeddingConfig::new(0, 2), "num_embeddings is 0"),
        (EmbeddingConfig::new(4, 0), "embedding_dim is 0"),
        (
            EmbeddingConfig {
                padding_idx: Some(4),
                ..base()
            },
            "padding_idx is 4, expected below num_embeddings = 4",
        ),
        (
            EmbeddingConfig {
                max_norm: Some(-1.),
                ..base()
            },
            "max_norm is -1",
        ),
        (
            EmbeddingConfig {
                max_norm: Some(f64::NAN),
                ..base()
            },
            "max_norm is NaN",
        ),
        (
            EmbeddingConfig {
                norm_type: 0.,
                ..base()
            },
            "norm_type is 0",
        ),
    ] {
        let store = sconce_core::ParamStore::new(DType::F32, &Device::Cpu);
        let error = Embedding::new(&cfg, store.builder().pp("tokens"))
            .unwrap_err()
            .to_string();
        assert!(
            error.starts_with(&format!("tokens (Embedding): {message}")),
            "{error}"
        );
    }
}
