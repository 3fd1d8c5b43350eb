use super::*;
use crate::tests::Check;
use candle_core::{DType, Device, Var};
use sconce_testkit::{GradCheck, Layout, Random};

fn config(to: UpsampleTo, mode: UpsampleMode, align_corners: bool) -> UpsampleConfig {
    UpsampleConfig {
        mode,
        align_corners,
        ..UpsampleConfig::new(to)
    }
}

#[test]
fn gradients() -> Check {
    use UpsampleMode::{Cubic, Linear, Nearest, NearestExact};
    let check = GradCheck {
        layouts: Layout::ALL,
        ..GradCheck::default()
    };
    let size = |sizes: &[usize]| UpsampleTo::Size(sizes.to_vec());
    let scale = |factors: &[f64]| UpsampleTo::Scale(factors.to_vec());
    let table = [
        (vec![4], size(&[9]), Nearest, false),
        (vec![3, 4], scale(&[2.]), Nearest, false),
        (vec![3, 4], scale(&[1.7, 2.4]), NearestExact, false),
        (vec![4], size(&[7]), Linear, false),
        (vec![3, 4], scale(&[2.]), Linear, true),
        (vec![3, 4], scale(&[2.5, 1.3]), Linear, false),
        (vec![2, 3, 2], size(&[3, 5, 4]), Linear, false),
        (vec![2, 3, 2], size(&[3]), Nearest, false),
        (vec![3, 4], size(&[7, 6]), Cubic, false),
        (vec![3, 4], scale(&[2.]), Cubic, true),
    ];
    for (positions, to, mode, align_corners) in table {
        let cfg = config(to, mode, align_corners);
        let layer = Upsample::new(&cfg)?;
        let mut shape = vec![2, 3];
        shape.extend(positions);
        let x = Random::new(3).normal(shape, DType::F64)?;
        check
            .check(&[("x", &x)], &[], |x: &[Tensor]| layer.forward(&x[0]))
            .map_err(|error| format!("{cfg:?}: {error}"))?;
    }
    Ok(())
}

/// candle's own upsampling overwrites a gradient that is already there.
#[test]
fn gradients_of_two_uses_add_up() -> Check {
    let x = Var::from_tensor(&Tensor::new(&[[[1f32, 2.]]], &Device::Cpu)?)?;
    let layer = Upsample::new(&UpsampleConfig::new(UpsampleTo::Scale(vec![3.])))?;
    let loss = (layer.forward(&x)?.sum_all()? + (x.as_tensor() * 10.)?.sum_all()?)?;
    let grads = loss.backward()?;
    let got = grads.get(&x).ok_or("no gradient")?.flatten_all()?;
    assert_eq!(got.to_vec1::<f32>()?, [13., 13.]);
    Ok(())
}

/// The weights of every output add up to 1, so that a constant stays one.
#[test]
fn constants_stay() -> Check {
    for mode in [
        UpsampleMode::Nearest,
        UpsampleMode::NearestExact,
        UpsampleMode::Linear,
        UpsampleMode::Cubic,
    ] {
        for size in 1..12 {
            let layer = Upsample::new(&config(UpsampleTo::Size(vec![size, 13 - size]), mode, false))?;
            let y = layer.forward(&Tensor::ones((1, 1, 5, 4), DType::F64, &Device::Cpu)?)?;
            let off = (y - 1.)?.abs()?.max_all()?.to_scalar::<f64>()?;
            assert!(off < 1e-12, "{mode:?} {size}: {off}");
        }
    }
    Ok(())
}

#[test]
fn bad_options_and_shapes_are_named() -> Check {
    let table = [
        (
            UpsampleConfig::new(UpsampleTo::Size(vec![])),
            "size is [], expected at least one size, each at least 1",
        ),
        (
            UpsampleConfig::new(UpsampleTo::Size(vec![3, 0])),
            "size is [3, 0], expected at least one size, each at least 1",
        ),
        (
            UpsampleConfig::new(UpsampleTo::Scale(vec![f64::NAN])),
            "scale_factor is [NaN], expected at least one factor, each above 0 and finite",
        ),
        (
            config(UpsampleTo::Size(vec![3]), UpsampleMode::Nearest, true),
            "align_corners is true, expected false for mode Nearest",
        ),
    ];
    for (cfg, message) in table {
        let error = Upsample::new(&cfg).err().ok_or("accepted")?;
        assert_eq!(error.to_string(), format!("Upsample: {message}"));
    }
    let two = config(UpsampleTo::Scale(vec![2., 0.1]), UpsampleMode::Linear, false);
    let cubic = config(UpsampleTo::Size(vec![3]), UpsampleMode::Cubic, false);
    let table: [(&UpsampleConfig, &[usize], &str); 5] = [
        (
            &two,
            &[2, 3],
            "[batch, channels, *positions] with one to three axes of positions",
        ),
        (
            &two,
            &[2, 3, 4],
            "2 axes of positions, as many as sizes or factors",
        ),
        (
            &two,
            &[2, 3, 4, 5],
            "a width that is at least 1, and not too large, when multiplied by 0.1",
        ),
        (&two, &[2, 3, 0, 5], "a height of at least 1"),
        (
            &cubic,
            &[2, 3, 4],
            "[batch, channels, height, width] for mode Cubic",
        ),
    ];
    for (cfg, dims, expected) in table {
        let x = Tensor::zeros(dims, DType::F32, &Device::Cpu)?;
        let error = Error::from(Upsample::new(cfg)?.forward(&x).err().ok_or("accepted")?);
        assert_eq!(
            error.to_string(),
            format!("Upsample: input has shape {dims:?}, expected {expected}")
        );
    }
    Ok(())
}
