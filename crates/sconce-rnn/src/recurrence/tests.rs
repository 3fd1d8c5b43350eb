use super::*;
use candle_core::{DType, Device, Var};
use sconce_testkit::Random;
use sconce_testkit::golden::{Bound, compare};

/// Inputs of a recurrence as variables: x, h, weight, and c, bias, projection where there are such.
struct Inputs {
    cell: Cell,
    steps: Steps,
    vars: Vec<(&'static str, Var)>,
}

impl Inputs {
    fn random(
        cell: Cell,
        sizes: &[usize],
        reverse: bool,
        (hidden, projected): (usize, usize),
        bias: bool,
    ) -> Self {
        let mut random = Random::new(1);
        let steps = Steps::new(sizes.into(), reverse);
        let output = if projected == 0 { hidden } else { projected };
        let gates = cell.gates() * hidden;
        let mut shapes = vec![
            ("x", vec![steps.total(), gates]),
            ("h", vec![steps.batch(), output]),
            ("weight", vec![gates, output]),
        ];
        if cell.has_memory() {
            shapes.push(("c", vec![steps.batch(), hidden]));
        }
        if bias {
            shapes.push(("bias", vec![gates]));
        }
        if projected > 0 {
            shapes.push(("projection", vec![projected, hidden]));
        }
        let vars = shapes.into_iter().map(|(name, shape)| {
            let values = random.normal(shape, DType::F64).unwrap();
            (name, Var::from_tensor(&values).unwrap())
        });
        Self {
            cell,
            steps,
            vars: vars.collect(),
        }
    }

    fn get(&self, name: &str) -> Option<&Tensor> {
        let found = self.vars.iter().find(|(known, _)| *known == name);
        found.map(|(_, var)| var.as_tensor())
    }

    /// Outputs, then the gradients of their weighted sums; outputs that aren't `used` get none.
    fn run(&self, kernel: bool, used: &[usize]) -> Vec<(String, Tensor)> {
        let main = ["x", "h", "weight"].map(|name| self.get(name).unwrap());
        let [c, bias, projection] = ["c", "bias", "projection"].map(|name| self.get(name));
        let result = if kernel {
            kernels::recurrence::forward::<f64>(self.cell, &self.steps, &main, c, bias, projection)
        } else {
            composite(self.cell, &self.steps, &main, c, bias, projection)
        };
        let result = result.unwrap();
        let outputs: Vec<Tensor> = [result.y, result.h].into_iter().chain(result.c).collect();
        let mut random = Random::new(2);
        let mut loss = Tensor::zeros((), DType::F64, &Device::Cpu).unwrap();
        for (k, output) in outputs.iter().enumerate() {
            let weights = random.normal(output.dims(), DType::F64).unwrap();
            if used.contains(&k) {
                loss = (loss + (output * weights).unwrap().sum_all().unwrap()).unwrap();
            }
        }
        let grads = loss.backward().unwrap();
        let mut all: Vec<_> = outputs
            .iter()
            .enumerate()
            .map(|(k, output)| (format!("output {k}"), output.detach()))
            .collect();
        for (name, var) in &self.vars {
            let grad = grads.get(var).cloned();
            let grad = grad.unwrap_or_else(|| var.zeros_like().unwrap());
            all.push((format!("gradient of {name}"), grad));
        }
        all
    }
}

#[test]
fn kernel_equals_composite() {
    let sizes: [&[usize]; 5] = [&[1], &[3, 3, 3], &[5, 3, 3, 1], &[2, 1, 1, 1, 1], &[40, 1]];
    for cell in [Cell::Tanh, Cell::Relu, Cell::Lstm, Cell::Gru] {
        for (k, sizes) in sizes.into_iter().enumerate() {
            for (hidden, projected) in [(1, 0), (7, 0), (33, 0), (8, 3)] {
                if projected > 0 && cell != Cell::Lstm {
                    continue;
                }
                for reverse in [false, true] {
                    let inputs = Inputs::random(cell, sizes, reverse, (hidden, projected), k % 2 == 0);
                    let used: &[usize] = [&[0, 1, 2][..], &[0], &[1], &[0, 2], &[1, 2]][k];
                    for ((name, ours), (_, oracle)) in
                        inputs.run(true, used).iter().zip(inputs.run(false, used))
                    {
                        let case = format!("{cell:?} {sizes:?} {hidden} {projected} {reverse}: {name}");
                        compare(&case, ours, &oracle, Bound::F64).unwrap();
                    }
                }
            }
        }
    }
}

#[test]
fn without_a_backward_pass_to_come_the_values_are_the_same() {
    for cell in [Cell::Tanh, Cell::Relu, Cell::Lstm, Cell::Gru] {
        let inputs = Inputs::random(cell, &[4, 3, 1], true, (5, 0), true);
        let main = inputs.run(true, &[0, 1, 2]);
        let free = sconce_core::no_grad(|| {
            let main = ["x", "h", "weight"].map(|name| inputs.get(name).unwrap());
            recurrence(
                cell,
                &inputs.steps,
                &main,
                inputs.get("c"),
                inputs.get("bias"),
                None,
            )
            .unwrap()
        });
        let free: Vec<Tensor> = [free.y, free.h].into_iter().chain(free.c).collect();
        for (free, (name, main)) in free.iter().zip(&main) {
            sconce_testkit::property::check_same_bits(name, free, main).unwrap();
            assert!(!free.track_op());
        }
    }
}

#[test]
fn the_kernel_is_one_node() {
    let inputs = Inputs::random(Cell::Gru, &[2; 50], false, (3, 0), true);
    let (_, graph) = sconce_core::graph::record(|| inputs.run(true, &[0]));
    assert_eq!(graph.operations().collect::<Vec<_>>(), ["gru"]);
    let (_, graph) = sconce_core::graph::record(|| inputs.run(false, &[0]));
    assert_eq!(graph.operations().last(), Some("gru"));
}
