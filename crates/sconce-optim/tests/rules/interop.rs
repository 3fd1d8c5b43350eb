//! candle's own interface: the same steps, by the variables of a `VarMap` alone.

use super::*;
use sconce_core::candle_nn::{Optimizer, VarBuilder, VarMap};

#[test]
fn candles_interface_takes_the_same_steps() {
    let map = VarMap::new();
    let vb = VarBuilder::from_varmap(&map, DType::F64, &Device::Cpu);
    let start = |name| {
        vb.get_with_hints(4, name, sconce_core::candle_nn::Init::Const(0.5))
            .unwrap()
    };
    let (a, b) = (start("a"), start("b"));
    let ours = ParamStore::new(DType::F64, &Device::Cpu);
    let params = ["a", "b"].map(|name| param(&ours.builder(), 4, name, &Init::Const(0.5)).unwrap());
    let mut theirs = <Adam as Optimizer>::new(map.all_vars(), ADAM).unwrap();
    let mut adam = Adam::new(&ADAM, &ours).unwrap();
    for _ in 0..3 {
        theirs.backward_step(&loss(&[a.clone(), b.clone()])).unwrap();
        Optimize::step(&mut adam, &gradients(&ours, &params)).unwrap();
    }
    for (theirs, ours) in [&a, &b].into_iter().zip(&params) {
        check_same_bits(ours.name(), theirs, &ours.value()).unwrap();
    }
    Optimizer::set_learning_rate(&mut theirs, 0.25);
    assert_eq!(Optimizer::learning_rate(&theirs), 0.25);
    let error = theirs.add_group("a", &ADAM).unwrap_err().to_string();
    assert_eq!(
        error,
        "\"a\" matches no parameter: candle's Optimizer::new gives them no names, Adam::new(&cfg, &var_map) does"
    );
    assert!(<Adam as Optimizer>::new(map.all_vars(), AdamConfig { lr: -1., ..ADAM }).is_err());
}
