//! After the first step there is nothing left to allocate. Alone in its process, whose allocator counts.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "helpers of tests fail as tests do"
)]

use candle_core::{DType, Device, Tensor};
use sconce_core::{Gradients, Init, ParamStore, param};
use sconce_optim::*;

#[global_allocator]
static ALLOCATOR: dhat::Alloc = dhat::Alloc;

/// Rows and columns of the large parameter.
const LARGE: [usize; 2] = [400, 500];
const SIZE: usize = 200_000;

fn rules(store: &ParamStore) -> Vec<(&'static str, Box<dyn Optimize>)> {
    macro_rules! all {
        ($($rule:ident => $cfg:expr),* $(,)?) => {
            vec![$((stringify!($rule), Box::new($rule::new(&$cfg, store).unwrap()) as Box<dyn Optimize>)),*]
        };
    }
    all!(
        Sgd => SgdConfig { momentum: 0.9, ..SgdConfig::default() },
        Adam => AdamConfig { amsgrad: true, ..AdamConfig::default() },
        Adam => AdamConfig::adamw(),
        Adagrad => AdagradConfig::default(),
        RmsProp => RmsPropConfig { momentum: 0.9, centered: true, ..RmsPropConfig::default() },
        Adadelta => AdadeltaConfig::default(),
        Adamax => AdamaxConfig::default(),
        NAdam => NAdamConfig::default(),
        RAdam => RAdamConfig::default(),
        Rprop => RpropConfig::default(),
        Asgd => AsgdConfig::default(),
        Lion => LionConfig::default(),
        Adafactor => AdafactorConfig::default(),
        Muon => MuonConfig::default(),
    )
}

#[test]
fn a_step_allocates_nothing_of_a_parameters_size() {
    let store = ParamStore::new(DType::F32, &Device::Cpu);
    param(&store.builder(), LARGE.as_slice(), "large", &Init::Const(1.)).unwrap();
    param(&store.builder(), (70, 10), "small", &Init::Const(1.)).unwrap();
    let ones = |shape: &[usize]| Tensor::ones(shape, DType::F32, &Device::Cpu).unwrap();
    let named = [
        ("large".to_string(), ones(&LARGE)),
        ("small".to_string(), ones(&[70, 10])),
    ];
    let gradients = Gradients::from_tensors(named, []).unwrap();
    let _profiler = dhat::Profiler::builder().testing().build();
    for (name, mut rule) in rules(&store) {
        let allocated = || dhat::HeapStats::get().total_bytes;
        let before = allocated();
        rule.step(&gradients).unwrap();
        let first = allocated() - before;
        // The count works: a rule's state is of the parameters' size, except that of one whose purpose is that it isn't.
        let keeps = first >= 4 * SIZE as u64;
        assert!(keeps != (name == "Adafactor"), "{name}: {first} bytes");
        let mut step = || {
            let before = allocated();
            rule.step(&gradients).unwrap();
            allocated() - before
        };
        // The least of some: a thread that helps for the first time gets working memory of its own.
        let least = (0..5).map(|_| step()).min().unwrap();
        assert!(least < SIZE as u64 / 4, "{name}: {least} bytes");
    }
}
