//! Rules down three objectives, from the start and from what PyTorch had saved on the way.

use super::rules::{Rule, rule};
use super::*;
use sconce_core::{Param, Result, backward};
use sconce_optim::Minimize as _;
use sconce_testkit::property::check_same_bits;

/// After so many steps the generator saved PyTorch's state, as `before.NAME`.
const TAKEN: usize = 20;

/// The parameters of a case, and what they are to make small.
struct Problem<'a> {
    case: Case<'a>,
    store: ParamStore,
    parameters: Vec<Param>,
}

impl<'a> Problem<'a> {
    fn new(case: Case<'a>) -> Self {
        let store = ParamStore::new(DType::F64, &Device::Cpu);
        let mut parameters = Vec::new();
        for name in ["w", "c", "v"] {
            if let Some(value) = case.get(&format!("{name}0")).unwrap() {
                parameters.push(param(&store.builder(), value.shape(), name, &Init::Const(0.)).unwrap());
                store.set(name, &value).unwrap();
            }
        }
        Self {
            case,
            store,
            parameters,
        }
    }

    /// Puts the parameters where a step of the case's trajectory left them.
    fn move_to(&self, values: &Tensor) {
        let mut at = 0;
        for parameter in &self.parameters {
            let shape = parameter.value().shape().clone();
            let own = values.narrow(0, at, shape.elem_count()).unwrap();
            self.store
                .set(parameter.name(), &own.reshape(&shape).unwrap())
                .unwrap();
            at += shape.elem_count();
        }
    }

    fn position(&self) -> Tensor {
        let flat = self.parameters.iter().map(|p| p.value().flatten_all().unwrap());
        Tensor::cat(&flat.collect::<Vec<_>>(), 0).unwrap()
    }

    fn loss(&self) -> Result<Tensor> {
        let named = |name| {
            self.parameters
                .iter()
                .find(|p| p.name() == name)
                .map(Param::tensor)
        };
        let data = |name| self.case.tensor(name).unwrap();
        let w = named("w").unwrap();
        let affine = || match (data("A").matmul(&w)?, named("c")) {
            (product, Some(c)) => product.broadcast_add(&c),
            (product, None) => Ok(product),
        };
        Ok(match self.case.config()["objective"].as_str().unwrap() {
            "quadratic" => ((affine()? - data("b"))?.sqr()?.mean_all()? + w.sqr()?.sqr()?.mean_all()?)?,
            "rosenbrock" => {
                let (x, y) = (w.narrow(1, 0, 1)?, w.narrow(1, 1, 1)?);
                let valley = ((y - x.sqr()?)?.sqr()? * 100.)?;
                (((1. - x)?.sqr()? + valley)? / 200.)?.sum_all()?
            }
            "network" => {
                let out = affine()?.tanh()?.matmul(&named("v").unwrap())?;
                (out - data("b"))?.sqr()?.mean_all()?
            }
            other => panic!("the objective {other}"),
        })
    }

    fn step(&self, rule: &mut Rule) {
        let gradients = |loss: &Tensor| backward(loss, &self.store);
        match rule {
            Rule::Optimize(rule) => rule.step(&gradients(&self.loss().unwrap()).unwrap()).unwrap(),
            Rule::Minimize(rule) => {
                let mut closure = || {
                    let loss = self.loss()?;
                    Ok((loss.to_scalar()?, gradients(&loss)?))
                };
                sconce_optim::Minimize::step(rule.as_mut(), &mut closure).unwrap();
            }
        }
    }

    /// Steps on after `taken` of them, each of which must end where PyTorch's does: the same operations in the same order, or
    /// within a hundred times what a last digit of the start does to PyTorch's own.
    fn follow(&self, rule: &mut Rule, taken: usize) {
        let trajectory = self.case.tensor("trajectory").unwrap();
        let steps = trajectory.dim(0).unwrap();
        let carried = match self.case.get("sensitivity").unwrap() {
            Some(carried) => carried.to_vec1::<f64>().unwrap(),
            None => vec![0.; steps],
        };
        for (step, carried) in carried.into_iter().enumerate().skip(taken) {
            self.step(rule);
            let bound = Bound {
                rtol: 1e-11,
                atol: 100. * carried,
            };
            let name = format!("case {} {} at {step}", self.case.index(), self.case.config());
            let expected = trajectory.get(step).unwrap();
            compare(&name, &self.position(), &expected, bound).unwrap();
            if step + 1 == TAKEN && carried == 0. {
                for (key, value) in kept(rule) {
                    let expected = self.case.tensor(&format!("before.{key}")).unwrap();
                    let expected = expected.to_dtype(DType::F64).unwrap();
                    compare(&format!("{name}: {key}"), &value, &expected, bound).unwrap();
                }
            }
        }
    }
}

#[test]
fn rules_go_where_pytorchs_do() {
    let cases = cases("optim");
    assert!(cases.len() > 200);
    for case in cases.iter() {
        let problem = Problem::new(case);
        problem.follow(&mut rule(case.config(), &problem.store).unwrap(), 0);
    }
}

#[test]
fn what_pytorch_saved_goes_on_as_it_does_there() {
    let cases = cases("optim");
    let mut kinds = std::collections::BTreeSet::new();
    for case in cases.iter() {
        let state = case.tensors("before.").unwrap();
        let trajectory = case.tensor("trajectory").unwrap();
        if trajectory.dim(0).unwrap() <= TAKEN {
            continue;
        }
        let problem = Problem::new(case);
        let mut rule = rule(case.config(), &problem.store).unwrap();
        problem.move_to(&trajectory.get(TAKEN - 1).unwrap());
        match &mut rule {
            Rule::Optimize(rule) => rule.load_state(&state).unwrap(),
            Rule::Minimize(rule) => rule.load_state(&state).unwrap(),
        }
        let own = kept(&rule);
        // Under the same names, to the bit.
        let name = format!("case {} {}", case.index(), case.config());
        assert_eq!(own.len(), state.len(), "{name}");
        for (key, value) in own {
            let theirs = case.tensor(&format!("before.{key}")).unwrap();
            let theirs = theirs.to_dtype(value.dtype()).unwrap();
            check_same_bits(&format!("{name}: {key}"), &value, &theirs).unwrap();
        }
        problem.follow(&mut rule, TAKEN);
        kinds.insert(case.kind().to_string());
    }
    assert_eq!(kinds.len(), 15, "{kinds:?}");
}

fn kept(rule: &Rule) -> Vec<(String, Tensor)> {
    let state = match rule {
        Rule::Optimize(rule) => rule.state(),
        Rule::Minimize(rule) => rule.state(),
    };
    state.unwrap()
}
