use super::*;
use crate::tests::{Check, stir};
use candle_core::{DType, Device};
use sconce_core::{ParamStore, Parameters, backward};
use sconce_testkit::{GradCheck, Random};

fn small(bilinear: bool) -> UNetConfig {
    UNetConfig {
        width: 2,
        depth: 2,
        bilinear,
        ..UNetConfig::new(2, 3)
    }
}

#[test]
fn the_defaults_are_the_papers_sizes() -> Check {
    let store = ParamStore::new(DType::F32, &Device::Cpu).seeded(1);
    UNet::new(&UNetConfig::new(3, 2), store.builder())?;
    // What the named implementation counts for three channels and two classes.
    assert_eq!(store.num_parameters(), 31_037_698);
    assert_eq!(store.get("up1.up.weight")?.dims(), [1024, 512, 2, 2]);
    let store = ParamStore::new(DType::F32, &Device::Cpu).seeded(1);
    let cfg = UNetConfig {
        bilinear: true,
        ..UNetConfig::new(3, 2)
    };
    UNet::new(&cfg, store.builder())?;
    assert_eq!(store.num_parameters(), 17_262_977 + 65);
    Ok(())
}

#[test]
fn gradients() -> Check {
    for bilinear in [false, true] {
        let store = ParamStore::new(DType::F64, &Device::Cpu).seeded(2);
        // Wide enough that no whole layer is cut off by its relus.
        let cfg = UNetConfig {
            width: 6,
            ..small(bilinear)
        };
        let net = UNet::new(&cfg, store.builder())?;
        stir(&store)?;
        let x = Random::new(1).normal((2, 2, 9, 14), DType::F64)?;
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
fn any_size_comes_out_as_it_went_in() -> Check {
    for bilinear in [false, true] {
        let store = ParamStore::new(DType::F32, &Device::Cpu).seeded(2);
        let net = UNet::new(&small(bilinear), store.builder())?;
        for (height, width) in [(4, 4), (5, 7), (8, 6), (11, 4)] {
            let x = Random::new(1).normal((2, 2, height, width), DType::F32)?;
            let y = net.forward_t(&x, true)?;
            assert_eq!(y.dims(), [2, 3, height, width]);
            assert!(backward(&y.sqr()?.mean_all()?, &store)?.missing().is_empty());
        }
    }
    Ok(())
}

#[test]
fn bad_options_and_images_are_named() -> Check {
    let store = ParamStore::new(DType::F32, &Device::Cpu);
    let base = || small(false);
    let table = [
        (
            UNetConfig { classes: 0, ..base() },
            "classes is 0, expected from 1 to 16777216",
        ),
        (
            UNetConfig { depth: 17, ..base() },
            "depth is 17, expected from 1 to 16",
        ),
        (
            UNetConfig { width: 0, ..base() },
            "width is 0, expected from 1 to 16777216",
        ),
    ];
    for (cfg, message) in table {
        let error = UNet::new(&cfg, store.builder()).err().ok_or("accepted")?;
        assert_eq!(error.to_string(), format!("UNet: {message}"));
    }
    let net = UNet::new(&base(), store.builder().pp("net"))?;
    for dims in [vec![2, 2, 8], vec![2, 1, 8, 8], vec![2, 2, 3, 8]] {
        let x = Tensor::zeros(dims.as_slice(), DType::F32, &Device::Cpu)?;
        let error = Error::from(net.forward_t(&x, false).err().ok_or("accepted")?);
        let expected = "expected [batch, in_channels = 2, height, width] with sides of at least 4";
        assert_eq!(
            error.to_string(),
            format!("net (UNet): input has shape {dims:?}, {expected}")
        );
    }
    Ok(())
}
