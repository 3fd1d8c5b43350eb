use super::*;

const SHAPE: (usize, usize, usize) = (40, 30, 25);

fn draw(init: Init, shape: impl Into<Shape>) -> Vec<f64> {
    let tensor = init
        .tensor(shape, DType::F64, &Device::Cpu, &Generator::new(7))
        .unwrap();
    tensor.flatten_all().unwrap().to_vec1().unwrap()
}

#[test]
fn spread_follows_the_formulas() {
    let (fan_in, fan_out) = (30. * 25., 40. * 25.);
    let uniform = 1. / 3f64.sqrt();
    let cases: &[(Init, f64, Option<f64>)] = &[
        (Init::Uniform { lo: -2., hi: 2. }, 2. * uniform, Some(2.)),
        (Init::Normal { mean: 0., std: 0.5 }, 0.5, None),
        (
            Init::XavierUniform { gain: 2. },
            2. * (2f64 / (fan_in + fan_out)).sqrt(),
            Some(2. * (6f64 / (fan_in + fan_out)).sqrt()),
        ),
        (
            Init::XavierNormal { gain: 1. },
            (2f64 / (fan_in + fan_out)).sqrt(),
            None,
        ),
        (
            Init::KaimingUniform {
                fan: Fan::In,
                gain: 1.,
            },
            (1f64 / fan_in).sqrt(),
            Some((3f64 / fan_in).sqrt()),
        ),
        (
            Init::KaimingUniform {
                fan: Fan::Out,
                gain: 1.,
            },
            (1f64 / fan_out).sqrt(),
            Some((3f64 / fan_out).sqrt()),
        ),
        (
            Init::KaimingNormal {
                fan: Fan::Out,
                gain: 2f64.sqrt(),
            },
            (2f64 / fan_out).sqrt(),
            None,
        ),
        (Init::default_uniform(100), 0.1 * uniform, Some(0.1)),
    ];
    for &(init, std, bound) in cases {
        let values = draw(init, SHAPE);
        let n = values.len() as f64;
        let mean = values.iter().sum::<f64>() / n;
        let spread = (values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / n).sqrt();
        // 30 000 draws: the standard error of the spread is below 0.6 %, that of the mean below std/170.
        assert!(
            (spread / std - 1.).abs() < 0.03,
            "{init:?}: {spread} against {std}"
        );
        assert!(mean.abs() < std / 30., "{init:?}: mean {mean}");
        let largest = values.iter().fold(0f64, |m, v| m.max(v.abs()));
        assert!(
            bound.is_none_or(|bound| largest <= bound && largest > 0.99 * bound),
            "{init:?}: {largest}"
        );
    }
}

#[test]
fn truncated_normal_is_cut_and_follows_the_density() {
    let values = draw(
        Init::TruncNormal {
            mean: 1.,
            std: 2.,
            lo: 0.,
            hi: 2.,
        },
        20_000,
    );
    assert!(values.iter().all(|v| (0. ..=2.).contains(v)));
    // Within half a deviation on each side: variance of the cut distribution by its closed form.
    let (a, density, mass) = (0.5f64, 0.352_065_326_764_299_5, 0.382_924_922_548_026);
    let variance = 4. * (1. - 2. * a * density / mass);
    let mean = values.iter().sum::<f64>() / 20_000.;
    let spread = values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / 20_000.;
    assert!(
        (mean - 1.).abs() < 0.02 && (spread / variance - 1.).abs() < 0.03,
        "{mean} {spread} {variance}"
    );
}

#[test]
fn orthogonal_rows_or_columns() {
    for (rows, columns) in [(3, 7), (7, 3), (5, 5), (1, 4)] {
        let q = draw(Init::Orthogonal { gain: 2. }, (rows, columns));
        let n = rows.min(columns);
        let at = |i: usize, k: usize| {
            if rows <= columns {
                q[i * columns + k]
            } else {
                q[k * columns + i]
            }
        };
        for i in 0..n {
            for j in 0..n {
                let product: f64 = (0..rows.max(columns)).map(|k| at(i, k) * at(j, k)).sum();
                assert!(
                    (product - if i == j { 4. } else { 0. }).abs() < 1e-12,
                    "{rows}×{columns}"
                );
            }
        }
    }
}

#[test]
fn what_has_no_fans_is_an_error() {
    let generator = Generator::new(0);
    for init in [Init::XavierUniform { gain: 1. }, Init::Orthogonal { gain: 1. }] {
        assert!(matches!(
            init.tensor(5, DType::F32, &Device::Cpu, &generator),
            Err(Error::Shape { .. })
        ));
    }
    let turned = Init::Uniform { lo: 1., hi: 0. };
    assert!(matches!(
        turned.tensor(5, DType::F32, &Device::Cpu, &generator),
        Err(Error::Config { .. })
    ));
}

#[test]
fn what_cannot_be_drawn_is_an_error() {
    let draw = |init: Init, shape: &[usize], dtype| {
        init.tensor(shape, dtype, &Device::Cpu, &Generator::new(0))
            .unwrap_err()
            .to_string()
    };
    let uniform = Init::Uniform { lo: -3., hi: 3. };
    assert!(draw(uniform, &[4], DType::I64).contains("dtype I64"));
    for std in [f64::NAN, -1., f64::INFINITY] {
        assert!(draw(Init::Normal { mean: 0., std }, &[4], DType::F32).contains("std is"));
    }
    let huge = [1 << 40, 1 << 40];
    for init in [uniform, Init::Const(0.), Init::Orthogonal { gain: 1. }] {
        assert!(draw(init, &huge, DType::F32).contains("fits into memory"));
        assert!(draw(init, &[1 << 30, 1 << 20], DType::F32).contains("fits into memory"));
    }
}

#[test]
fn truncated_tails_are_mirror_images() {
    let draw = |lo, hi| {
        let init = Init::TruncNormal {
            mean: 1.,
            std: 2.,
            lo,
            hi,
        };
        let values = init
            .tensor(1000, DType::F64, &Device::Cpu, &Generator::new(5))
            .unwrap();
        values.to_vec1::<f64>().unwrap()
    };
    let (upper, lower) = (draw(12., 14.), draw(-12., -10.));
    assert!(
        upper
            .iter()
            .zip(&lower)
            .all(|(u, l)| (u - 1. + (l - 1.)).abs() < 1e-9)
    );
    let mut distinct = upper.clone();
    distinct.sort_by(f64::total_cmp);
    distinct.dedup();
    assert!(distinct.len() > 950, "{}", distinct.len());
}
