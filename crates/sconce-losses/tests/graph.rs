//! A loss is one node of the graph as a picture, be it a kernel or composed of candle operations.
#![allow(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

use candle_core::{DType, Device, Result, Tensor, Var};
use sconce_core::graph;
use sconce_losses::*;

const MEAN: Reduction = Reduction::Mean;

#[test]
fn every_loss_is_in_the_picture_by_its_name() {
    let device = &Device::Cpu;
    let classes = Tensor::new(&[0i64, 2], device).unwrap();
    let rows = Tensor::new(&[1i64, -1], device).unwrap();
    let all = Tensor::ones((2, 3), DType::I64, device).unwrap();
    type Loss<'a> = &'a dyn Fn(&Tensor) -> Result<Tensor>;
    let losses: [(&str, Loss<'_>); 31] = [
        ("mse", &|x| mse(x, x, MEAN)),
        ("l1", &|x| l1(x, x, MEAN)),
        ("huber", &|x| huber(x, x, 1., MEAN)),
        ("smooth_l1", &|x| smooth_l1(x, x, 1., MEAN)),
        ("mse_weighted", &|x| mse_weighted(x, x, x, MEAN)),
        ("l1_weighted", &|x| l1_weighted(x, x, x, MEAN)),
        ("huber_weighted", &|x| huber_weighted(x, x, x, 1., MEAN)),
        ("log_cosh", &|x| log_cosh(x, x, MEAN)),
        ("quantile", &|x| quantile(x, x, 0.5, MEAN)),
        ("bce", &|x| bce(x, x, &BceConfig::default(), MEAN)),
        ("bce_with_logits", &|x| {
            bce_with_logits(x, x, &BceWithLogitsConfig::default(), MEAN)
        }),
        ("cross_entropy", &|x| cross_entropy(x, &classes, MEAN)),
        ("cross_entropy", &|x| cross_entropy(x, x, MEAN)),
        ("nll", &|x| nll(x, &classes, &NllConfig::default(), MEAN)),
        ("ctc", &|x| {
            ctc(
                x,
                &Tensor::ones(1, DType::I64, x.device())?,
                &[2],
                &[1],
                &CtcConfig::default(),
                MEAN,
            )
        }),
        ("poisson_nll", &|x| {
            poisson_nll(x, x, &PoissonNllConfig::default(), MEAN)
        }),
        ("gaussian_nll", &|x| {
            gaussian_nll(x, x, x, &GaussianNllConfig::default(), MEAN)
        }),
        ("kl_div", &|x| kl_div(x, x, &KlDivConfig::default(), MEAN)),
        ("sigmoid_focal", &|x| {
            sigmoid_focal(x, x, &SigmoidFocalConfig::default(), MEAN)
        }),
        ("softmax_focal", &|x| {
            softmax_focal(x, &classes, &SoftmaxFocalConfig::default(), MEAN)
        }),
        ("hinge", &|x| hinge(x, &all, MEAN)),
        ("soft_margin", &|x| soft_margin(x, &all, MEAN)),
        ("hinge_embedding", &|x| hinge_embedding(x, &all, 1., MEAN)),
        ("margin_ranking", &|x| margin_ranking(x, x, &all, 0., MEAN)),
        ("cosine_embedding", &|x| cosine_embedding(x, x, &rows, 0., MEAN)),
        ("multi_margin", &|x| {
            multi_margin(x, &classes, &MultiMarginConfig::default(), MEAN)
        }),
        ("multilabel_margin", &|x| multilabel_margin(x, &all, MEAN)),
        ("multilabel_soft_margin", &|x| {
            multilabel_soft_margin(x, x, None, MEAN)
        }),
        ("triplet_margin", &|x| {
            triplet_margin(x, x, x, &TripletMarginConfig::default(), MEAN)
        }),
        ("dice", &|x| dice(x, x, &DiceConfig::default(), MEAN)),
        ("iou", &|x| iou(x, x, &IouConfig::default(), MEAN)),
    ];
    for dtype in [DType::F32, DType::BF16] {
        for (name, loss) in &losses {
            let x = Tensor::full(0.5f32, (2, 3), device)
                .unwrap()
                .to_dtype(dtype)
                .unwrap();
            let x = Var::from_tensor(&x).unwrap();
            let (loss, graph) = graph::record(|| loss(&x));
            loss.unwrap();
            let dot = graph.dot();
            assert!(
                dot.contains(&format!("label=\"{name}\"")),
                "{name} {dtype:?}: {dot}"
            );
        }
    }
}
