use super::*;
use crate::tests::{Check, stir};
use candle_core::{DType, Device};
use candle_nn::VarMap;
use sconce_core::{ParamStore, Parameters, backward};
use sconce_testkit::{GradCheck, Random};

fn small() -> ResNetConfig {
    ResNetConfig {
        width: 2,
        blocks: [1, 2, 1, 1],
        stem: Stem::Small,
        ..ResNetConfig::new(3)
    }
}

#[test]
fn the_defaults_are_resnet_18() -> Check {
    let store = ParamStore::new(DType::F32, &Device::Cpu).seeded(1);
    ResNet::new(&ResNetConfig::new(1000), store.builder())?;
    assert_eq!(store.num_parameters(), 11_689_512);
    let weight = store.get("layer4.1.conv2.weight")?;
    assert_eq!(weight.dims(), [512, 512, 3, 3]);
    // Kaiming over the outputs: σ = √(2 / (512·9)).
    let std = weight.sqr()?.mean_all()?.to_scalar::<f32>()?.sqrt();
    assert!((std / (2f32 / 4608.).sqrt() - 1.).abs() < 0.01, "{std}");
    assert_eq!(store.get("layer2.0.downsample.0.weight")?.dims(), [128, 64, 1, 1]);
    assert!(store.get("layer1.0.downsample.0.weight").is_err());
    Ok(())
}

#[test]
fn gradients() -> Check {
    for stem in [Stem::Small, Stem::Large] {
        let store = ParamStore::new(DType::F64, &Device::Cpu).seeded(2);
        let net = ResNet::new(&ResNetConfig { stem, ..small() }, store.builder())?;
        stir(&store)?;
        let x = Random::new(1).normal((2, 3, 33, 35), DType::F64)?;
        let check = GradCheck {
            max_elements: 4,
            ..GradCheck::default()
        };
        // In evaluation, since training would change the running statistics from call to call.
        check.check(&[("x", &x)], &store.named_parameters(), |x: &[Tensor]| {
            net.forward_t(&x[0], false)
        })?;
    }
    Ok(())
}

#[test]
fn every_parameter_is_trained() -> Check {
    let store = ParamStore::new(DType::F32, &Device::Cpu).seeded(2);
    let net = ResNet::new(&small(), store.builder())?;
    let x = Random::new(1).normal((4, 3, 17, 16), DType::F32)?;
    let gradients = backward(&net.forward_t(&x, true)?.sqr()?.mean_all()?, &store)?;
    assert!(gradients.missing().is_empty());
    Ok(())
}

#[test]
fn blocks_can_start_as_the_identity() -> Check {
    let cfg = ResNetConfig {
        zero_init_residual: true,
        ..small()
    };
    let store = ParamStore::new(DType::F32, &Device::Cpu);
    ResNet::new(&cfg, store.builder())?;
    let map = VarMap::new();
    ResNet::new(
        &cfg,
        candle_nn::VarBuilder::from_varmap(&map, DType::F32, &Device::Cpu),
    )?;
    let data = map.data().lock().unwrap();
    for (name, expected) in [
        ("layer2.1.bn2.weight", 0.),
        ("layer2.1.bn1.weight", 1.),
        ("bn1.weight", 1.),
    ] {
        for weight in [store.get(name)?, data[name].as_detached_tensor()] {
            assert!(
                weight.to_vec1::<f32>()?.iter().all(|&value| value == expected),
                "{name}"
            );
        }
    }
    Ok(())
}

#[test]
fn bad_options_and_images_are_named() -> Check {
    let store = ParamStore::new(DType::F32, &Device::Cpu);
    let table = [
        (ResNetConfig::new(0), "classes is 0, expected at least 1"),
        (
            ResNetConfig {
                blocks: [2, 2, 0, 2],
                ..small()
            },
            "blocks is [2, 2, 0, 2], expected at least 1 in every stage",
        ),
        (
            ResNetConfig { width: 0, ..small() },
            "width is 0, expected at least 1",
        ),
    ];
    for (cfg, message) in table {
        let error = ResNet::new(&cfg, store.builder()).err().ok_or("accepted")?;
        assert_eq!(error.to_string(), format!("ResNet: {message}"));
    }
    let net = ResNet::new(&small(), store.builder().pp("net"))?;
    for dims in [vec![2, 3, 8], vec![2, 1, 8, 8], vec![2, 3, 0, 8]] {
        let x = Tensor::zeros(dims.as_slice(), DType::F32, &Device::Cpu)?;
        let error = Error::from(net.forward_t(&x, false).err().ok_or("accepted")?);
        let expected = "expected [batch, in_channels = 3, height, width]";
        assert_eq!(
            error.to_string(),
            format!("net (ResNet): input has shape {dims:?}, {expected}")
        );
    }
    Ok(())
}
