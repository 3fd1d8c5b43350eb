use super::geometry::geometry;
use super::run::composite;
use super::*;
use crate::tests::{Check, assert_same};
use candle_core::{DType, Device, Var};
use sconce_core::ParamStore;
use sconce_kernels::simd::{Level, with_level};
use sconce_testkit::golden::Bound;
use sconce_testkit::property::check_thread_independence;
use sconce_testkit::{GradCheck, Layout, Random};

/// Output and gradients of input, weight and bias.
fn all(
    tensors: &[Tensor; 3],
    f: impl Fn(&Tensor, &Tensor, &Tensor) -> Result<Tensor>,
) -> Result<Vec<Tensor>> {
    let [x, weight, bias] = tensors.each_ref().map(|tensor| Var::from_tensor(tensor).unwrap());
    let y = f(&x, &weight, &bias)?;
    let cotangent = Random::new(6).normal(y.shape(), y.dtype())?;
    let grads = (&y * cotangent)?.sum_all()?.backward()?;
    let mut all = vec![y.detach()];
    all.extend([x, weight, bias].iter().filter_map(|var| grads.get(var).cloned()));
    Ok(all)
}

fn tensors<const N: usize>(
    batch: usize,
    size: [usize; N],
    [groups, c_in, c_out]: [usize; 3],
    kernel: [usize; N],
    dtype: DType,
) -> Result<[Tensor; 3]> {
    let mut random = Random::new(5);
    let mut shapes = [
        vec![batch, groups * c_in],
        vec![groups * c_in, c_out],
        vec![groups * c_out],
    ];
    shapes[0].extend(size);
    shapes[1].extend(kernel);
    let [x, weight, bias] = shapes.map(|shape| random.normal(shape, dtype));
    Ok([x?, weight?, bias?])
}

fn check_axes<const N: usize>(random: &mut Random) -> Check {
    let one = |random: &mut Random, low, high| [(); N].map(|()| random.integer(low, high));
    let options = Options {
        stride: one(random, 1, 4),
        padding: one(random, 0, 3),
        dilation: one(random, 1, 4),
        groups: random.integer(1, 4),
    };
    let steps = options.stride.iter().zip(&options.dilation);
    let extra: Vec<usize> = steps.map(|(s, d)| random.integer(0, *s.max(d))).collect();
    let extra = OutputPadding::Of(extra.try_into().unwrap());
    let channels = [options.groups, random.integer(1, 4), random.integer(1, 4)];
    let size = one(random, 1, if N == 3 { 4 } else { 9 });
    let (batch, kernel) = (random.integer(1, 4), one(random, 1, 5));
    for (dtype, bound) in [(DType::F64, Bound::F64), (DType::F32, Bound::F32)] {
        let tensors = tensors(batch, size, channels, kernel, dtype)?;
        let [x, w, b] = &tensors;
        let Ok(geometry) = geometry("", x, w, Some(b), &options, extra) else {
            return Ok(());
        };
        let kernel = all(&tensors, |x, w, b| run("", x, w, Some(b), &options, extra))?;
        let oracle = all(&tensors, |x, w, b| composite(x, w, Some(b), &geometry))?;
        assert_eq!(kernel.len(), 4);
        assert_same(&kernel, &oracle, bound);
    }
    Ok(())
}

#[test]
fn kernel_equals_composite() -> Check {
    for seed in 0..100 {
        let mut random = Random::new(seed);
        check_axes::<1>(&mut random)?;
        check_axes::<2>(&mut random)?;
        check_axes::<3>(&mut random)?;
    }
    Ok(())
}

fn plain<const N: usize>(stride: [usize; N], padding: [usize; N], groups: usize) -> Options<N> {
    Options {
        stride,
        padding,
        dilation: [1; N],
        groups,
    }
}

/// Sizes at which tiles and shares of the batch are cut.
#[test]
fn large_ones_at_every_level_and_number_of_threads() -> Check {
    let table = [
        (2, [20, 20], [1, 32, 19], [4, 4], plain([2, 2], [1, 1], 1)),
        (18, [9, 7], [1, 3, 5], [3, 3], plain([1, 2], [1, 0], 1)),
        (5, [6, 11], [8, 1, 1], [3, 3], plain([1, 1], [1, 1], 8)),
    ];
    for (batch, size, channels, kernel, options) in table {
        let extra = OutputPadding::Of([0, 0]);
        let small = tensors(batch, size, channels, kernel, DType::F64)?;
        let [x, w, b] = &small;
        let geometry = geometry("", x, w, Some(b), &options, extra)?;
        let oracle = all(&small, |x, w, b| composite(x, w, Some(b), &geometry))?;
        for level in Level::available() {
            let kernel = || all(&small, |x, w, b| run("", x, w, Some(b), &options, extra));
            assert_same(&with_level(level, kernel)?, &oracle, Bound::F64);
        }
        let single = tensors(batch, size, channels, kernel, DType::F32)?;
        check_thread_independence(|| all(&single, |x, w, b| run("", x, w, Some(b), &options, extra)))?;
    }
    Ok(())
}

fn gradcheck<const N: usize>(cfg: &ConvTransposeConfig<N>, size: [usize; N]) -> Check {
    use sconce_core::Parameters;
    let store = ParamStore::new(DType::F64, &Device::Cpu).seeded(1);
    let layer = ConvTranspose::new(cfg, store.builder())?;
    let mut shape = vec![2, cfg.in_channels];
    shape.extend(size);
    let x = Random::new(3).normal(shape, DType::F64)?;
    let check = GradCheck {
        layouts: Layout::ALL,
        ..GradCheck::default()
    };
    check
        .check(&[("x", &x)], &store.named_parameters(), |x: &[Tensor]| {
            layer.forward(&x[0])
        })
        .map_err(|error| format!("{cfg:?}: {error}"))?;
    Ok(())
}

#[test]
fn gradients() -> Check {
    let one = ConvTranspose1dConfig::new(4, 2, 3);
    gradcheck(&one, [5])?;
    gradcheck(
        &ConvTranspose1dConfig {
            stride: [2],
            padding: [2],
            output_padding: [2],
            dilation: [3],
            groups: 2,
            ..one
        },
        [4],
    )?;
    let two = ConvTranspose2dConfig::new(4, 2, (3, 2));
    gradcheck(&two, [3, 4])?;
    gradcheck(
        &ConvTranspose2dConfig {
            stride: [2, 3],
            padding: [1, 0],
            output_padding: [1, 2],
            dilation: [2, 1],
            groups: 2,
            bias: false,
            ..two
        },
        [3, 2],
    )?;
    let three = ConvTranspose3dConfig::new(2, 2, (2, 1, 3));
    gradcheck(
        &ConvTranspose3dConfig {
            stride: [2, 3, 1],
            padding: [1, 0, 1],
            output_padding: [1, 1, 0],
            groups: 2,
            ..three.clone()
        },
        [2, 3, 2],
    )?;
    gradcheck(&three, [2, 2, 3])
}

/// ⟨conv(x), y⟩ = ⟨x, convᵀ(y)⟩
#[test]
fn it_is_the_transpose_of_the_convolution() -> Check {
    let mut random = Random::new(2);
    let weight = random.normal((4, 3, 3, 2), DType::F64)?;
    let options = Options {
        dilation: [1, 2],
        ..plain([2, 3], [1, 2], 1)
    };
    let x = random.normal((2, 3, 8, 9), DType::F64)?;
    let conv = crate::ConvOptions {
        stride: options.stride,
        padding: crate::Padding::Explicit(options.padding),
        dilation: options.dilation,
        ..crate::ConvOptions::default()
    };
    let forward = crate::conv(&x, &weight, None, &conv)?;
    let y = random.normal(forward.shape(), DType::F64)?;
    let extra = OutputPadding::To([8, 9]);
    let back = run("", &y, &weight, None, &options, extra)?;
    let [left, right] = [(forward * y)?, (x * back)?].map(|t| t.sum_all().unwrap());
    assert_same(&[left], &[right], Bound::F64);
    Ok(())
}

#[test]
fn initial_values_are_pytorchs() -> Check {
    let store = ParamStore::new(DType::F64, &Device::Cpu).seeded(3);
    let cfg = ConvTranspose2dConfig {
        groups: 4,
        ..ConvTranspose2dConfig::new(64, 32, (3, 5))
    };
    let layer = ConvTranspose2d::new(&cfg, store.builder())?;
    assert_eq!(layer.weight.dims(), [64, 8, 3, 5]);
    // fan_in is counted over the outputs of a group.
    let bound = 1. / f64::sqrt(8. * 15.);
    for parameter in [&layer.weight, layer.bias.as_ref().ok_or("no bias")?] {
        let largest = parameter.value().abs()?.max_all()?.to_scalar::<f64>()?;
        assert!((0.9 * bound..bound).contains(&largest), "{largest}");
    }
    Ok(())
}

#[test]
fn bad_options_and_shapes_are_named() -> Check {
    let store = ParamStore::new(DType::F32, &Device::Cpu);
    let base = || ConvTranspose2dConfig::new(4, 6, 3);
    let table: [(ConvTranspose2dConfig, &str); 5] = [
        (
            ConvTranspose2dConfig::new(0, 6, 3),
            "in_channels is 0, expected at least 1",
        ),
        (
            ConvTranspose2dConfig::new(4, 6, (0, 3)),
            "kernel_size is [0, 3], expected at least 1 on every axis",
        ),
        (
            ConvTranspose2dConfig {
                stride: [1, 0],
                ..base()
            },
            "stride is [1, 0], expected at least 1 on every axis",
        ),
        (
            ConvTranspose2dConfig { groups: 4, ..base() },
            "groups is 4, expected a divisor of out_channels = 6",
        ),
        (
            ConvTranspose2dConfig {
                stride: [2, 1],
                output_padding: [1, 1],
                ..base()
            },
            "output_padding is [1, 1], expected less than stride = [2, 1] or dilation = [1, 1] on every axis",
        ),
    ];
    for (cfg, message) in table {
        let error = ConvTranspose2d::new(&cfg, store.builder().pp("up"))
            .err()
            .ok_or("accepted")?;
        assert_eq!(error.to_string(), format!("up (ConvTranspose2d): {message}"));
    }
    let cfg = ConvTranspose2dConfig {
        stride: [2, 3],
        padding: [2, 2],
        ..base()
    };
    let layer = ConvTranspose2d::new(&cfg, store.builder().pp("up"))?;
    let message = |result: Result<Tensor>| -> std::result::Result<String, Box<dyn std::error::Error>> {
        Ok(Error::from(result.err().ok_or("accepted")?).to_string())
    };
    let zeros = |dims: &[usize]| Tensor::zeros(dims, DType::F32, &Device::Cpu);
    let table: [(&[usize], &str); 3] = [
        (&[2, 4, 5], "expected [batch, in_channels = 4, height, width]"),
        (&[2, 5, 5, 5], "expected [batch, in_channels = 4, height, width]"),
        (
            &[2, 4, 1, 5],
            "expected a height for which (1 − 1)·2 − 2·2 + 1·(3 − 1) + 0 + 1 is at least 1",
        ),
    ];
    for (dims, expected) in table {
        let message = message(layer.forward(&zeros(dims)?))?;
        assert_eq!(
            message,
            format!("up (ConvTranspose2d): input has shape {dims:?}, {expected}")
        );
    }
    let x = zeros(&[1, 4, 3, 3])?;
    assert_eq!(layer.forward(&x)?.dims(), [1, 6, 3, 5]);
    assert_eq!(layer.forward_to(&x, [4, 7])?.dims(), [1, 6, 4, 7]);
    assert_eq!(
        message(layer.forward_to(&x, [5, 5]))?,
        "up (ConvTranspose2d): input has shape [1, 4, 3, 3], expected a height that gives 3 to 4, not 5"
    );
    assert!(message(layer.forward(&zeros(&[1, 4, 3, 3])?.to_dtype(DType::F64)?))?.contains("dtype F64"));
    Ok(())
}
