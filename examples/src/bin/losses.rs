//! Losses of numbers and of margins, and their slopes, as curves.

use clap::Parser;
use sconce::candle_core::{Device, Result as CandleResult, Tensor, Var};
use sconce::core::parse_device;
use sconce::losses::{
    GaussianNllConfig, MultiMarginConfig, MultiMarginNorm, PoissonNllConfig, Reduction, TripletMarginConfig,
    cosine_embedding, gaussian_nll, hinge, hinge_embedding, huber, l1, log_cosh, margin_ranking, mse,
    multi_margin, multilabel_margin, multilabel_soft_margin, poisson_nll, quantile, smooth_l1, soft_margin,
    triplet_margin,
};
use sconce::train::plot::Curve;
use sconce_examples::plot::{Panel, panels};
use sconce_examples::{Common, Failure, MOST, Result, expect_below, figure, in_folder, in_range, say};
use std::path::PathBuf;
use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Computes each loss of numbers and of margins over a range of outputs, and its slope by a backward pass, and prints where the
/// loss is least and how steep it gets.
///
/// The last lines are its figures: each loss's greatest slope, and the largest error of all slopes against differences.
#[derive(Parser)]
#[command(version)]
struct Flags {
    /// Outputs that each loss is computed for
    #[arg(long, default_value_t = 401)]
    points: usize,
    /// How far from 0 the outputs go, for losses that take any
    #[arg(long, default_value_t = 3., allow_negative_numbers = true)]
    reach: f64,
    /// Draw the curves: losses.png in this folder
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    #[command(flatten)]
    common: Common,
}

fn main() -> ExitCode {
    let flags = Flags::parse();
    sconce_examples::run(|| run(&flags))
}

/// The losses of a vector of outputs, one each.
type Loss = fn(&Tensor) -> CandleResult<Tensor>;

const EACH: Reduction = Reduction::None;

/// A loss as a function of one number.
struct Shown {
    name: &'static str,
    /// What the number is.
    of: &'static str,
    /// From where to where it goes; none is from −reach to reach.
    range: Option<(f64, f64)>,
    loss: Loss,
}

const fn shown(name: &'static str, of: &'static str, loss: Loss) -> Shown {
    Shown {
        name,
        of,
        range: None,
        loss,
    }
}

const fn within(name: &'static str, of: &'static str, range: (f64, f64), loss: Loss) -> Shown {
    let range = Some(range);
    Shown {
        name,
        of,
        range,
        loss,
    }
}

const SHOWN: [Shown; 20] = [
    shown("mse", "output − target", |x| mse(x, &x.zeros_like()?, EACH)),
    shown("l1", "output − target", |x| l1(x, &x.zeros_like()?, EACH)),
    shown("smooth l1, beta 1", "output − target", |x| {
        smooth_l1(x, &x.zeros_like()?, 1., EACH)
    }),
    shown("huber, delta 2", "output − target", |x| {
        huber(x, &x.zeros_like()?, 2., EACH)
    }),
    shown("log-cosh", "output − target", |x| {
        log_cosh(x, &x.zeros_like()?, EACH)
    }),
    shown("quantile, q 0.8", "output − target", |x| {
        quantile(x, &x.zeros_like()?, 0.8, EACH)
    }),
    shown("poisson nll", "logarithm of the rate, count 3", |x| {
        poisson_nll(x, &(x.ones_like()? * 3.)?, &PoissonNllConfig::default(), EACH)
    }),
    within("gaussian nll", "variance, error 1", (0.2, 6.), |x| {
        let cfg = GaussianNllConfig::default();
        gaussian_nll(&x.ones_like()?.detach(), &x.zeros_like()?, x, &cfg, EACH)
    }),
    shown("hinge", "score of 1", |x| hinge(x, &ones(x)?, EACH)),
    shown("soft margin", "score of 1", |x| soft_margin(x, &ones(x)?, EACH)),
    shown("multi-margin, p 1", "score of the class, the other's 0", |x| {
        two_classes(x, MultiMarginNorm::One)
    }),
    shown("multi-margin, p 2", "score of the class, the other's 0", |x| {
        two_classes(x, MultiMarginNorm::Two)
    }),
    shown("multilabel margin", "score of one of two, others' 1, 0, 0", |x| {
        let rows = x.elem_count();
        let others = Tensor::new(&[[1f64, 0., 0.]], x.device())?.broadcast_as((rows, 3))?;
        let labels = Tensor::new(&[[0i64, 1, -1, -1]], x.device())?.broadcast_as((rows, 4))?;
        multilabel_margin(&Tensor::cat(&[&x.unsqueeze(1)?, &others], 1)?, &labels, EACH)
    }),
    shown("multilabel soft margin", "logit of a class that is right", |x| {
        multilabel_soft_margin(
            &x.unsqueeze(1)?,
            &x.ones_like()?.detach().unsqueeze(1)?,
            None,
            EACH,
        )
    }),
    shown("margin ranking, margin 1", "the larger less the smaller", |x| {
        margin_ranking(x, &x.zeros_like()?, &ones(x)?, 1., EACH)
    }),
    within("hinge embedding, apart", "distance", (0., 3.), |x| {
        hinge_embedding(x, &ones(x)?.neg()?, 1., EACH)
    }),
    within("cosine embedding, same", "angle", ANGLES, |x| angles(x, 1., 0.)),
    within("cosine embedding, apart, margin 0.3", "angle", ANGLES, |x| {
        angles(x, -1., 0.3)
    }),
    within(
        "triplet margin, positive",
        "its distance, negative's 2",
        (0.1, 4.),
        |x| {
            let (near, far) = (x.unsqueeze(1)?, (x.ones_like()?.detach().unsqueeze(1)? * 2.)?);
            let cfg = TripletMarginConfig::default();
            triplet_margin(&near.zeros_like()?, &near, &far, &cfg, EACH)
        },
    ),
    within(
        "triplet margin, negative",
        "its distance, positive's 1",
        (0.1, 4.),
        |x| {
            let (far, near) = (x.unsqueeze(1)?, x.ones_like()?.detach().unsqueeze(1)?);
            let cfg = TripletMarginConfig::default();
            triplet_margin(&far.zeros_like()?, &near, &far, &cfg, EACH)
        },
    ),
];

const ANGLES: (f64, f64) = (-std::f64::consts::PI, std::f64::consts::PI);

/// Labels that are 1.
fn ones(x: &Tensor) -> CandleResult<Tensor> {
    Ok(x.ones_like()?.detach())
}

fn two_classes(x: &Tensor, p: MultiMarginNorm) -> CandleResult<Tensor> {
    let scores = Tensor::stack(&[x, &x.zeros_like()?], 1)?;
    let cfg = MultiMarginConfig {
        p,
        ..MultiMarginConfig::default()
    };
    let class = Tensor::zeros(x.elem_count(), sconce::candle_core::DType::U32, x.device())?;
    multi_margin(&scores, &class, &cfg, EACH)
}

/// Of vectors at an angle from another.
fn angles(x: &Tensor, label: f64, margin: f64) -> CandleResult<Tensor> {
    let turned = Tensor::stack(&[x.cos()?, x.sin()?], 1)?;
    let ahead = Tensor::stack(&[x.ones_like()?, x.zeros_like()?], 1)?.detach();
    cosine_embedding(&turned, &ahead, &(ones(x)? * label)?, margin, EACH)
}

/// The largest error of a slope in a smoke run.
const SMOKE_ERROR: f64 = 1e-4;
/// Charts in a row of the picture.
const COLUMNS: usize = 4;

fn run(flags: &Flags) -> Result<()> {
    let device = parse_device(&flags.common.device)?;
    in_range("--points", flags.points, 2..=MOST)?;
    if !(flags.reach.is_finite() && flags.reach > 0.) {
        let message = format!("--reach is {}, expected a finite number above 0", flags.reach);
        return Err(Failure::new(message));
    }
    let picture = in_folder(flags.out.as_deref(), "losses.png")?;
    let (mut charts, mut figures, mut worst) = (Vec::new(), Vec::new(), 0f64);
    for shown in &SHOWN {
        let range = shown.range.unwrap_or((-flags.reach, flags.reach));
        let x = outputs(range, flags.points);
        let (losses, slopes) = computed(shown.loss, &x, &device)?;
        let least = x.iter().zip(&losses).min_by(|a, b| a.1.total_cmp(b.1));
        let (at, least) = least.map_or((f64::NAN, f64::NAN), |(x, loss)| (*x, *loss));
        let steepest = slopes.iter().fold(0f64, |most, slope| most.max(slope.abs()));
        say(format_args!(
            "{:<36} least {least:>7.4} at {at:>7.4}, slope up to {steepest:>7.4}",
            shown.name
        ));
        worst = worst.max(error(shown.loss, &x, &slopes, &device)?);
        figures.push((format!("{} slope", shown.name), steepest));
        let curve = |name: &str, values: Vec<f64>| Curve::new(name, x.iter().copied().zip(values));
        charts.push(Panel {
            title: shown.name.into(),
            x: shown.of.into(),
            curves: vec![curve("loss", losses), curve("slope", slopes)],
        });
    }
    if let Some(file) = &picture {
        panels(file, &charts, COLUMNS)?;
        say(format_args!("wrote {}", file.display()));
    }
    if flags.common.smoke {
        expect_below("the slopes' error", worst, SMOKE_ERROR)?;
    }
    for (name, value) in figures {
        figure(&name, value);
    }
    figure("error of slopes", worst);
    Ok(())
}

/// Numbers at equal distances.
fn outputs((from, to): (f64, f64), points: usize) -> Vec<f64> {
    let step = (to - from) / (points - 1) as f64;
    (0..points).map(|i| from + i as f64 * step).collect()
}

/// The losses of outputs, and their slopes by a backward pass.
fn computed(loss: Loss, x: &[f64], device: &Device) -> Result<(Vec<f64>, Vec<f64>)> {
    let x = Var::new(x, device)?;
    let losses = loss(&x)?;
    let slopes = losses.sum_all()?.backward()?.remove(&x);
    let slopes = slopes.ok_or_else(|| Failure::new("a loss has no gradient by its output"))?;
    Ok((losses.to_vec1()?, slopes.to_vec1()?))
}

/// By how much slopes differ from the losses' differences, away from the bends.
fn error(loss: Loss, x: &[f64], slopes: &[f64], device: &Device) -> Result<f64> {
    const STEP: f64 = 1e-6;
    let beside = |by: f64| -> Result<Vec<f64>> {
        let x = Tensor::from_vec(x.iter().map(|x| x + by).collect::<Vec<_>>(), x.len(), device)?;
        Ok(loss(&x)?.to_vec1()?)
    };
    let (left, here, right) = (beside(-STEP)?, beside(0.)?, beside(STEP)?);
    let mut worst = 0f64;
    for (((left, here), right), slope) in left.iter().zip(&here).zip(&right).zip(slopes) {
        let (before, after) = ((here - left) / STEP, (right - here) / STEP);
        // Where the two sides differ is a bend.
        if (before - after).abs() < 1e-3 {
            worst = worst.max((0.5 * (before + after) - slope).abs());
        }
    }
    Ok(worst)
}
