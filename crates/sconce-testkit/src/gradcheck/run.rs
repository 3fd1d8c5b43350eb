//! The check itself.

use candle_core::{DType, Result, Tensor, Var};

use super::{Checked, Element, GradCheck, GradCheckError, Outputs, Problem, Report};
use crate::{Layout, Random};

/// A variable under test with the values that it has between two differences.
pub(super) struct Leaf {
    name: String,
    var: Var,
    values: Vec<f64>,
}

impl Leaf {
    pub(super) fn new(name: &str, var: Var) -> Result<Self> {
        let values = flat(&var)?;
        Ok(Self {
            name: name.to_owned(),
            var,
            values,
        })
    }

    pub(super) fn restore(&self) -> Result<()> {
        self.set(self.values.clone())
    }

    fn set(&self, values: Vec<f64>) -> Result<()> {
        self.var
            .set(&Tensor::from_vec(values, self.var.shape(), self.var.device())?)
    }

    /// Flat positions to compare: all, or a fixed random choice of `most`.
    fn positions(&self, most: usize) -> Vec<usize> {
        let n = self.values.len();
        if n <= most {
            return (0..n).collect();
        }
        let mut chosen = Random::new(n as u64).permutation(n);
        chosen.truncate(most);
        chosen.sort_unstable();
        chosen
    }

    fn index(&self, mut position: usize) -> Vec<usize> {
        let mut index: Vec<usize> = Vec::with_capacity(self.var.rank());
        for size in self.var.dims().iter().rev() {
            index.push(position % size);
            position /= size;
        }
        index.reverse();
        index
    }
}

/// Weights of one output in the scalar that is differentiated: ±[0.5, 1.5), so that no output counts for nothing.
fn cotangent(output: usize, like: &Tensor) -> Result<Tensor> {
    let mut random = Random::new(0x5c0_4ce + output as u64);
    let mut draw = || (0.5 + random.unit()) * if random.bits() & 1 == 0 { 1.0 } else { -1.0 };
    let values: Vec<f64> = (0..like.elem_count()).map(|_| draw()).collect();
    Tensor::from_vec(values, like.shape(), like.device())
}

fn flat(x: &Tensor) -> Result<Vec<f64>> {
    x.flatten_all()?.to_vec1()
}

/// One evaluation with its backward.
struct Evaluated {
    outputs: Vec<Vec<f64>>,
    gradients: Vec<Option<Tensor>>,
}

/// The numeric gradient of one input at the compared positions.
struct Numeric {
    positions: Vec<usize>,
    gradients: Vec<f64>,
    noise: Vec<f64>,
    largest: f64,
}

pub(super) struct Run<'a, F> {
    pub(super) options: &'a GradCheck,
    pub(super) leaves: &'a [Leaf],
    /// How many leaves, the first ones, are handed to the function.
    pub(super) inputs: usize,
    pub(super) f: &'a F,
}

impl<O: Outputs, F: Fn(&[Tensor]) -> Result<O>> Run<'_, F> {
    pub(super) fn check(&self) -> std::result::Result<Report, GradCheckError> {
        let first = self
            .options
            .layouts
            .first()
            .copied()
            .unwrap_or(Layout::Contiguous);
        let base = self.evaluate(first)?;
        let weights = self.weights(first)?;
        let again: Vec<Vec<f64>> = self.outputs(first)?.iter().map(flat).collect::<Result<_>>()?;
        if !same(&again, &base.outputs) {
            return Err(Problem::NotAFunction.into());
        }
        let magnitude: f64 = base
            .outputs
            .iter()
            .zip(&weights)
            .flat_map(|(out, cot)| out.iter().zip(cot).map(|(o, c)| (o * c).abs()))
            .filter(|x| x.is_finite())
            .sum();

        let mut problems = Vec::new();
        let mut report = Report { inputs: Vec::new() };
        let mut numerics = Vec::new();
        for (k, leaf) in self.leaves.iter().enumerate() {
            let mut numeric = self.differences(leaf, first, &weights, magnitude, 1.0)?;
            let analytic = self.analytic(leaf, base.gradients.get(k), first, &mut problems)?;
            if let Some(analytic) = &analytic {
                self.try_other_steps(leaf, first, &weights, magnitude, analytic, &mut numeric)?;
                let floor = numeric.noise.iter().fold(0.0, |a: f64, b| a.max(*b));
                let largest = analytic.iter().fold(numeric.largest, |a, b| a.max(b.abs()));
                if largest <= floor && !self.may_be_zero(leaf) {
                    problems.push(Problem::Zero {
                        name: leaf.name.clone(),
                    });
                } else if let Some(checked) = self.compare(leaf, analytic, &numeric, first, &mut problems) {
                    report.inputs.push(checked);
                }
            }
            numerics.push(numeric);
        }
        for layout in self.options.layouts.iter().copied().skip(1) {
            let other = self.evaluate(layout)?;
            problems.extend(layout_difference(&base.outputs, &other.outputs, layout));
            for (k, (leaf, numeric)) in self.leaves.iter().zip(&numerics).enumerate() {
                if let Some(analytic) = self.analytic(leaf, other.gradients.get(k), layout, &mut problems)? {
                    self.compare(leaf, &analytic, numeric, layout, &mut problems);
                }
            }
        }
        if problems.is_empty() {
            Ok(report)
        } else {
            Err(GradCheckError { problems })
        }
    }

    fn outputs(&self, layout: Layout) -> Result<Vec<Tensor>> {
        let inputs: Vec<Tensor> = self
            .leaves
            .iter()
            .take(self.inputs)
            .map(|leaf| layout.apply(&leaf.var))
            .collect::<Result<_>>()?;
        Ok((self.f)(&inputs)?.into_tensors())
    }

    fn weights(&self, layout: Layout) -> Result<Vec<Vec<f64>>> {
        let outputs = self.outputs(layout)?;
        outputs
            .iter()
            .enumerate()
            .map(|(k, out)| flat(&cotangent(k, out)?))
            .collect()
    }

    fn evaluate(&self, layout: Layout) -> std::result::Result<Evaluated, GradCheckError> {
        let outputs = self.outputs(layout)?;
        let mut loss: Option<Tensor> = None;
        for (k, out) in outputs.iter().enumerate() {
            if out.dtype() != DType::F64 {
                return Err(Problem::Dtype {
                    name: format!("output {k}"),
                    dtype: out.dtype(),
                }
                .into());
            }
            let term = (out * cotangent(k, out)?)?.sum_all()?;
            loss = Some(match loss {
                Some(sum) => (sum + term)?,
                None => term,
            });
        }
        let gradients = loss.ok_or(Problem::NoOutput)?.backward()?;
        Ok(Evaluated {
            outputs: outputs.iter().map(flat).collect::<Result<_>>()?,
            gradients: self
                .leaves
                .iter()
                .map(|leaf| gradients.get(&leaf.var).cloned())
                .collect(),
        })
    }

    /// Central differences at all compared positions, with the step times `factor`.
    fn differences(
        &self,
        leaf: &Leaf,
        layout: Layout,
        weights: &[Vec<f64>],
        magnitude: f64,
        factor: f64,
    ) -> Result<Numeric> {
        let positions = leaf.positions(self.options.max_elements);
        let mut numeric = Numeric {
            positions,
            gradients: Vec::new(),
            noise: Vec::new(),
            largest: 0.0,
        };
        for &position in &numeric.positions {
            let (gradient, noise) = self.difference(leaf, position, layout, weights, magnitude, factor)?;
            numeric.gradients.push(gradient);
            numeric.noise.push(noise);
            if gradient.is_finite() {
                numeric.largest = numeric.largest.max(gradient.abs());
            }
        }
        Ok(numeric)
    }

    fn difference(
        &self,
        leaf: &Leaf,
        position: usize,
        layout: Layout,
        weights: &[Vec<f64>],
        magnitude: f64,
        factor: f64,
    ) -> Result<(f64, f64)> {
        let x = leaf.values.get(position).copied().unwrap_or_default();
        let h = factor * self.options.step * x.abs().max(1.0);
        let at = |value: f64| {
            let mut values = leaf.values.clone();
            if let Some(slot) = values.get_mut(position) {
                *slot = value;
            }
            leaf.set(values)?;
            self.outputs(layout)
        };
        let (above, below) = (x + h, x - h);
        let (up, down) = (at(above)?, at(below)?);
        leaf.restore()?;
        let mut sum = 0.0;
        for ((up, down), cot) in up.iter().zip(&down).zip(weights) {
            for ((u, d), c) in flat(up)?.iter().zip(flat(down)?).zip(cot) {
                // Equal infinities don't change, and their difference is NaN.
                if *u != d {
                    sum += (u - d) * c;
                }
            }
        }
        Ok((sum / (above - below), 8.0 * f64::EPSILON * magnitude / h))
    }

    /// Replaces the numeric gradient of elements that fail by the best of two other steps.
    fn try_other_steps(
        &self,
        leaf: &Leaf,
        layout: Layout,
        weights: &[Vec<f64>],
        magnitude: f64,
        analytic: &[f64],
        numeric: &mut Numeric,
    ) -> Result<()> {
        let largest = numeric.largest;
        let Numeric {
            positions,
            gradients,
            noise,
            ..
        } = numeric;
        for ((&position, gradient), noise) in positions.iter().zip(gradients.iter_mut()).zip(noise.iter_mut())
        {
            let a = analytic.get(position).copied().unwrap_or(f64::NAN);
            for factor in [0.1, 10.0] {
                if (a - *gradient).abs() <= self.bound(a, *gradient, largest, *noise) {
                    break;
                }
                let (other, other_noise) =
                    self.difference(leaf, position, layout, weights, magnitude, factor)?;
                let closer = (a - other).abs() < (a - *gradient).abs();
                if closer {
                    (*gradient, *noise) = (other, other_noise);
                }
            }
        }
        numeric.largest = numeric
            .gradients
            .iter()
            .filter(|g| g.is_finite())
            .fold(0.0, |a: f64, b| a.max(b.abs()));
        Ok(())
    }

    fn bound(&self, analytic: f64, numeric: f64, largest: f64, noise: f64) -> f64 {
        self.options.tolerance * (analytic.abs().max(numeric.abs()) + largest) + noise
    }

    fn may_be_zero(&self, leaf: &Leaf) -> bool {
        self.options.may_be_zero.contains(&leaf.name.as_str())
    }

    /// The gradient's values; zeros where an absent one is allowed.
    fn analytic(
        &self,
        leaf: &Leaf,
        gradient: Option<&Option<Tensor>>,
        layout: Layout,
        problems: &mut Vec<Problem>,
    ) -> Result<Option<Vec<f64>>> {
        match gradient.and_then(Option::as_ref) {
            Some(gradient) if gradient.dims() == leaf.var.dims() => Ok(Some(flat(gradient)?)),
            Some(gradient) => {
                let (expected, got) = (leaf.var.dims().to_vec(), gradient.dims().to_vec());
                problems.push(Problem::Shape {
                    name: leaf.name.clone(),
                    expected,
                    got,
                });
                Ok(None)
            }
            None if self.may_be_zero(leaf) => Ok(Some(vec![0.0; leaf.values.len()])),
            None => {
                problems.push(Problem::Missing {
                    name: leaf.name.clone(),
                    layout,
                });
                Ok(None)
            }
        }
    }

    fn compare(
        &self,
        leaf: &Leaf,
        analytic: &[f64],
        numeric: &Numeric,
        layout: Layout,
        problems: &mut Vec<Problem>,
    ) -> Option<Checked> {
        let compared = numeric.positions.len();
        let mut wrong = 0;
        // (error over bound, element, bound); NaN counts as infinitely wrong.
        let mut worst: Option<(f64, Element, f64)> = None;
        for ((&position, &numeric_gradient), &noise) in numeric
            .positions
            .iter()
            .zip(&numeric.gradients)
            .zip(&numeric.noise)
        {
            let element = Element {
                index: leaf.index(position),
                analytic: analytic.get(position).copied().unwrap_or(f64::NAN),
                numeric: numeric_gradient,
            };
            let bound = self.bound(element.analytic, element.numeric, numeric.largest, noise);
            let excess = if element.error() <= bound {
                element.error() / bound.max(f64::MIN_POSITIVE)
            } else {
                wrong += 1;
                let ratio = element.error() / bound;
                if ratio.is_nan() { f64::INFINITY } else { ratio }
            };
            if worst.as_ref().is_none_or(|(most, ..)| excess > *most) {
                worst = Some((excess, element, bound));
            }
        }
        let (_, worst, bound) = worst?;
        if wrong == 0 {
            return Some(Checked {
                name: leaf.name.clone(),
                compared,
                worst,
            });
        }
        problems.push(Problem::Wrong {
            name: leaf.name.clone(),
            layout,
            wrong,
            compared,
            worst,
            bound,
        });
        None
    }
}

fn same(a: &[Vec<f64>], b: &[Vec<f64>]) -> bool {
    let bits = |x: &[Vec<f64>]| {
        x.iter()
            .map(|v| v.iter().map(|x| x.to_bits()).collect())
            .collect::<Vec<Vec<u64>>>()
    };
    bits(a) == bits(b)
}

/// The first output whose values move by more than rounding when only the layout changes.
fn layout_difference(base: &[Vec<f64>], other: &[Vec<f64>], layout: Layout) -> Option<Problem> {
    for (output, (left, right)) in base.iter().zip(other).enumerate() {
        let largest = left
            .iter()
            .filter(|x| x.is_finite())
            .fold(0.0, |a: f64, b| a.max(b.abs()));
        for (element, (&left, &right)) in left.iter().zip(right).enumerate() {
            let same =
                left == right || (left.is_nan() && right.is_nan()) || (left - right).abs() <= 1e-10 * largest;
            if !same {
                return Some(Problem::LayoutMatters {
                    output,
                    layout,
                    element,
                    left,
                    right,
                });
            }
        }
    }
    None
}
