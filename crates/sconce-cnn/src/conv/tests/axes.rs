//! Convolutions of other than two axes.

use super::*;

/// Random options of any number of axes, kernel against composite.
fn check_axes<const N: usize>(random: &mut Random, seed: u64) -> Check {
    let one = |random: &mut Random, low, high| [(); N].map(|()| random.integer(low, high));
    let (kernel, dilation) = (one(random, 1, 4), one(random, 1, 3));
    let same = random.integer(0, 3) == 0;
    let stride = if same { [1; N] } else { one(random, 1, 4) };
    let groups = random.integer(1, 3);
    let modes = [
        PaddingMode::Zeros,
        PaddingMode::Reflect,
        PaddingMode::Replicate,
        PaddingMode::Circular,
    ];
    let options = ConvOptions {
        stride,
        padding: if same {
            Padding::Same
        } else {
            Padding::Explicit(one(random, 0, 3))
        },
        padding_mode: modes[random.integer(0, 4)],
        dilation,
        groups,
        activation: [None, Some(Activation::Tanh), Some(Activation::Gelu)][random.integer(0, 3)],
    };
    let (c_in, c_out) = (random.integer(1, 3), random.integer(1, 3));
    let mut shapes = [
        vec![random.integer(1, 3), groups * c_in],
        vec![groups * c_out, c_in],
        vec![groups * c_out],
    ];
    shapes[0].extend(one(random, 4, 8));
    shapes[1].extend(kernel);
    let mut values = Random::new(seed);
    let [x, w, b] = shapes.map(|shape| values.normal(shape, DType::F64).unwrap());
    let Ok(geometry) = Geometry::new("", &x, &w, Some(&b), &options) else {
        return Ok(());
    };
    let tensors = [x, w, b];
    let kernel = all(&tensors, |x, w, b| conv(x, w, Some(b), &options))?;
    let oracle = all(&tensors, |x, w, b| {
        let y = composite(x, w, Some(b), &geometry)?;
        options
            .activation
            .map_or(Ok(y.clone()), |activation| activation.forward(&y))
    })?;
    assert_eq!(kernel.len(), 4);
    assert_same(&kernel, &oracle, Bound::F64);
    Ok(())
}

#[test]
fn one_and_three_axes_equal_composites() -> Check {
    for seed in 0..60 {
        let mut random = Random::new(seed);
        check_axes::<1>(&mut random, seed)?;
        check_axes::<3>(&mut random, seed)?;
    }
    Ok(())
}

#[test]
fn gradients_of_one_and_three_axes() -> Check {
    let mut random = Random::new(8);
    let check = GradCheck {
        layouts: Layout::ALL,
        ..GradCheck::default()
    };
    let modes = [
        PaddingMode::Zeros,
        PaddingMode::Reflect,
        PaddingMode::Replicate,
        PaddingMode::Circular,
    ];
    for padding_mode in modes {
        let [x, w, b] = [vec![2, 4, 7], vec![6, 2, 3], vec![6]].map(|shape| random.normal(shape, DType::F64));
        let options = ConvOptions {
            stride: [2],
            padding: Padding::Explicit([3]),
            padding_mode,
            dilation: [2],
            groups: 2,
            activation: Some(Activation::Tanh),
        };
        check.check(
            &[("x", &x?), ("weight", &w?), ("bias", &b?)],
            &[],
            |t: &[Tensor]| conv(&t[0], &t[1], Some(&t[2]), &options),
        )?;
        let shapes = [vec![2, 2, 4, 3, 5], vec![4, 1, 2, 3, 2], vec![4]];
        let [x, w, b] = shapes.map(|shape| random.normal(shape, DType::F64));
        let options = ConvOptions {
            stride: [2, 1, 3],
            padding: Padding::Explicit([2, 2, 1]),
            padding_mode,
            dilation: [2, 1, 2],
            groups: 2,
            activation: None,
        };
        check.check(
            &[("x", &x?), ("weight", &w?), ("bias", &b?)],
            &[],
            |t: &[Tensor]| conv(&t[0], &t[1], Some(&t[2]), &options),
        )?;
    }
    Ok(())
}

#[test]
fn axes_have_names_whatever_their_number() -> Check {
    let store = ParamStore::new(DType::F32, &Device::Cpu);
    let message = |result: Result<Tensor>| -> std::result::Result<String, Box<dyn std::error::Error>> {
        Ok(Error::from(result.err().ok_or("accepted")?).to_string())
    };
    let one = Conv1d::new(&Conv1dConfig::new(2, 3, 4), store.builder().pp("a"))?;
    let three = Conv3d::new(&Conv3dConfig::new(2, 3, 2), store.builder().pp("b"))?;
    let zeros = |dims: &[usize]| Tensor::zeros(dims, DType::F32, &Device::Cpu);
    assert_eq!(
        message(one.forward(&zeros(&[1, 2, 3])?))?,
        "a (Conv1d): input has shape [1, 2, 3], expected a length of at least 4, so that (3 + 0 + 0 − 1·(4 − 1) − 1) / 1 + 1 \
         windows of 4 fit"
    );
    assert_eq!(
        message(one.forward(&zeros(&[1, 2, 3, 4])?))?,
        "a (Conv1d): input has shape [1, 2, 3, 4], expected [batch, in_channels = 2, length]"
    );
    assert_eq!(
        message(three.forward(&zeros(&[1, 2, 1, 4, 4])?))?,
        "b (Conv3d): input has shape [1, 2, 1, 4, 4], expected a depth of at least 2, so that (1 + 0 + 0 − 1·(2 − 1) − 1) / 1 \
         + 1 windows of 2 fit"
    );
    let weight = zeros(&[3, 2, 2])?;
    let options = ConvOptions::<3>::default();
    assert_eq!(
        message(conv(&zeros(&[1, 2, 1, 4, 4])?, &weight, None, &options))?,
        "conv3d: weight has shape [3, 2, 2], expected [out_channels, in_channels / groups, kernel_depth, kernel_height, \
         kernel_width]"
    );
    // More axes than there are names for still work.
    let y = conv(
        &zeros(&[1, 1, 2, 2, 2, 2])?,
        &zeros(&[1, 1, 2, 1, 1, 2])?,
        None,
        &ConvOptions::<4>::default(),
    )?;
    assert_eq!(y.dims(), [1, 1, 1, 2, 2, 1]);
    assert!(
        conv(
            &zeros(&[1, 1])?,
            &zeros(&[1, 1])?,
            None,
            &ConvOptions::<0>::default()
        )
        .is_err()
    );
    Ok(())
}
