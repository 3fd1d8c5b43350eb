//! The state, by PyTorch's names.

use super::*;

#[test]
fn state_has_pytorchs_names_and_only_where_a_gradient_came() {
    for (config, names) in RULES {
        let (store, params) = store(&[3, 4, 2], DType::F32);
        let mut rule = config.rule(&store);
        assert!(rule.state().unwrap().is_empty());
        let before = params[1].value().copy().unwrap();
        let partial = backward(&loss(&[params[0].tensor(), params[2].tensor()]), &store).unwrap();
        assert_eq!(partial.missing(), ["p1"]);
        rule.step(&partial).unwrap();
        check_same_bits("a parameter without a gradient", &params[1].value(), &before).unwrap();
        let state = rule.state().unwrap();
        let expected: Vec<String> = ["p0", "p2"]
            .iter()
            .flat_map(|p| names.iter().map(move |name| format!("{p}.{name}")))
            .collect();
        assert_eq!(
            state.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>(),
            expected
        );
        for (name, tensor) in state.iter().filter(|(name, _)| !name.ends_with(".step")) {
            assert_eq!(tensor.dims(), [if name.starts_with("p0") { 3 } else { 2 }]);
            assert!(
                tensor
                    .abs()
                    .unwrap()
                    .sum_all()
                    .unwrap()
                    .to_scalar::<f32>()
                    .unwrap()
                    > 0.,
                "{name}"
            );
        }
    }
}

#[test]
fn steps_are_counted_for_each_parameter() {
    let (store, params) = store(&[3, 4], DType::F64);
    let mut adam = Adam::new(&ADAM, &store).unwrap();
    adam.step(&backward(&loss(&[params[0].tensor()]), &store).unwrap())
        .unwrap();
    adam.step(&gradients(&store, &params)).unwrap();
    let steps = adam
        .state()
        .unwrap()
        .into_iter()
        .filter(|(name, _)| name.ends_with("step"));
    let steps: Vec<_> = steps
        .map(|(name, step)| (name, step.to_scalar::<f64>().unwrap()))
        .collect();
    assert_eq!(steps, [("p0.step".to_string(), 2.), ("p1.step".to_string(), 1.)]);
}
