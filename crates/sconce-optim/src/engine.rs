//! What all rules share: walking the parameters, their state by name, and one parallel pass over many tensors.

mod pass;
mod slope;
mod state;

use crate::kernels::Vectorised;
use candle_core::{CpuStorage, Storage, Tensor, Var};
use sconce_core::{Error, Gradients, Parameters, Result};
pub(crate) use slope::Slope;
use state::{State, Values, working_dtype};
use std::collections::{HashMap, HashSet};

/// The most state tensors that a rule keeps for a parameter.
pub(crate) const STATES: usize = 3;

/// An update rule: a set of options, and what one step does to one tensor.
pub(crate) trait Rule: Copy + Send + Sync + 'static {
    /// What a step depends on besides the tensors, with the loop on the CPU.
    type Constants: Vectorised;
    /// The rule's name in errors.
    const NAME: &'static str;
    /// Whether the number of steps taken is part of the state.
    const COUNTS_STEPS: bool;

    /// An error that names the first option that is out of range.
    fn check(&self) -> Result<()>;

    /// The names of the state tensors, at most [`STATES`], each of the parameter's shape.
    fn state_names(&self) -> &'static [&'static str];

    /// What the state tensors hold at first.
    fn initial_state(&self) -> f64 {
        0.
    }

    /// The constants of a parameter's step number `step`, counted from 1.
    fn constants(&self, step: u64) -> Self::Constants;

    /// One step from candle operations: gives the parameter's new value and changes the state.
    fn composite(
        constants: &Self::Constants,
        parameter: &Tensor,
        gradient: &Tensor,
        state: &mut [Tensor],
    ) -> candle_core::Result<Tensor>;
}

/// A rule with the parameters it works on.
pub(crate) struct Engine<R> {
    pub(crate) rule: R,
    slots: Vec<Slot>,
    index: HashMap<String, usize>,
}

struct Slot {
    name: String,
    var: Var,
    state: Option<State>,
}

impl<R: Rule> Engine<R> {
    pub(crate) fn new<P: Parameters + ?Sized>(rule: R, parameters: &P) -> Result<Self> {
        rule.check()?;
        // All of them, since what is frozen now may be trained later.
        let slots: Vec<Slot> = parameters
            .named_tensors()
            .into_iter()
            .map(|(name, var)| Slot {
                name,
                var,
                state: None,
            })
            .collect();
        let index = slots
            .iter()
            .enumerate()
            .map(|(i, slot)| (slot.name.clone(), i))
            .collect();
        Ok(Self { rule, slots, index })
    }

    pub(crate) fn step(&mut self, gradients: &Gradients) -> Result<()> {
        // The learning rate may have been set since.
        self.rule.check()?;
        let gradients = self.checked(gradients)?;
        let names = self.rule.state_names();
        let mut constants = None;
        let mut updates = Vec::with_capacity(gradients.len());
        for (slot, gradient) in self.slots.iter_mut().zip(gradients) {
            let Some(gradient) = gradient else { continue };
            if slot.state.is_none() {
                slot.state = Some(State::new(&slot.var, names.len(), self.rule.initial_state())?);
            }
            let Some(state) = &mut slot.state else { continue };
            state.step += 1;
            // Parameters nearly always are at the same step, and powers are dear beside a small tensor's update.
            let constants = match constants {
                Some((step, constants)) if step == state.step => constants,
                _ => constants.insert((state.step, self.rule.constants(state.step))).1,
            };
            match &mut state.values {
                Values::Tensors(values) => composite_step::<R>(&constants, &slot.var, &gradient, values)?,
                values => updates.push(pass::Update {
                    var: &slot.var,
                    gradient,
                    values,
                    constants,
                }),
            }
        }
        pass::run::<R>(updates)
    }

    /// Each slot's gradient, contiguous and in memory of its own; or the first error among them.
    fn checked(&self, gradients: &Gradients) -> Result<Vec<Option<Tensor>>> {
        let mut found = vec![None; self.slots.len()];
        let written: HashSet<usize> = self.slots.iter().filter_map(|slot| address(&slot.var)).collect();
        for (name, gradient) in gradients.iter() {
            let (Some(slot), Some(place)) = self
                .index
                .get(name)
                .map_or((None, None), |&i| (self.slots.get(i), found.get_mut(i)))
            else {
                let expected = format!("the name of a parameter that {}::new was given", R::NAME);
                return Err(Error::config(R::NAME, "gradient", name, expected));
            };
            if gradient.dims() != slot.var.dims() {
                let expected = format!("{:?}, the parameter's", slot.var.dims());
                return Err(Error::shape(
                    format!("{name} ({})", R::NAME),
                    "gradient",
                    expected,
                    gradient.dims(),
                ));
            }
            if gradient.dtype() != slot.var.dtype() {
                return Err(Error::DType {
                    layer: format!("{name} ({})", R::NAME),
                    argument: "gradient",
                    expected: format!("{:?}, the parameter's", slot.var.dtype()),
                    got: gradient.dtype(),
                });
            }
            // A function may hand out a parameter itself as a gradient; it would change while it is read.
            *place = Some(match address(gradient) {
                Some(address) if written.contains(&address) => gradient.force_contiguous()?,
                _ => gradient.contiguous()?,
            });
        }
        Ok(found)
    }

    /// Copies of the state, by parameter and PyTorch's name of it.
    pub(crate) fn state(&self) -> Result<Vec<(String, Tensor)>> {
        let mut all = Vec::new();
        for Slot { name, var, state } in &self.slots {
            let Some(State { step, values }) = state else {
                continue;
            };
            let names = self.rule.state_names();
            if R::COUNTS_STEPS {
                all.push((
                    format!("{name}.step"),
                    Tensor::new(*step as f64, &candle_core::Device::Cpu)?,
                ));
            }
            for (i, state_name) in names.iter().enumerate() {
                if let Some(tensor) = values.copy(i, var)? {
                    all.push((format!("{name}.{state_name}"), tensor));
                }
            }
        }
        Ok(all)
    }
}

/// Where a CPU tensor's memory begins.
fn address(tensor: &Tensor) -> Option<usize> {
    match &*tensor.storage_and_layout().0 {
        Storage::Cpu(CpuStorage::F32(values)) => Some(values.as_ptr().addr()),
        Storage::Cpu(CpuStorage::F64(values)) => Some(values.as_ptr().addr()),
        _ => None,
    }
}

fn composite_step<R: Rule>(
    constants: &R::Constants,
    var: &Var,
    gradient: &Tensor,
    state: &mut [Tensor],
) -> Result<()> {
    let dtype = working_dtype(var.dtype());
    let parameter = var.as_detached_tensor().to_dtype(dtype)?;
    let updated = R::composite(constants, &parameter, &gradient.detach().to_dtype(dtype)?, state)?;
    Ok(var.set(&updated.to_dtype(var.dtype())?)?)
}

/// average ← β·average + (1 − β)·value
pub(crate) fn average(average: &mut Tensor, value: &Tensor, beta: f64) -> candle_core::Result<()> {
    *average = ((&*average * beta)? + (value * (1. - beta))?)?;
    Ok(())
}

/// An error unless each of these options is a finite number, not negative.
pub(crate) fn check_not_negative(rule: &'static str, options: &[(&'static str, f64)]) -> Result<()> {
    match options
        .iter()
        .find(|(_, value)| !(value.is_finite() && *value >= 0.))
    {
        Some((field, value)) => Err(Error::config(rule, field, value, "a finite number, at least 0")),
        None => Ok(()),
    }
}

/// The public face of a rule that is a struct around its [`Engine`].
macro_rules! optimizer {
    ($name:ident, $config:ty) => {
        impl $name {
            /// A rule for the parameters of a store.
            ///
            /// # Errors
            #[doc = concat!("See [`", stringify!($name), "`].")]
            pub fn new<P: sconce_core::Parameters + ?Sized>(
                cfg: &$config,
                parameters: &P,
            ) -> sconce_core::Result<Self> {
                Ok(Self($crate::engine::Engine::new(*cfg, parameters)?))
            }

            /// A copy of the state: each tensor under its parameter's name and PyTorch's name of it, as in
            /// `fc1.weight.exp_avg`. Parameters that had no gradient yet have none.
            ///
            /// # Errors
            /// Those of candle's copy.
            pub fn state(&self) -> sconce_core::Result<Vec<(String, candle_core::Tensor)>> {
                self.0.state()
            }
        }

        impl $crate::Optimize for $name {
            fn step(&mut self, gradients: &sconce_core::Gradients) -> sconce_core::Result<()> {
                self.0.step(gradients)
            }

            fn learning_rate(&self) -> f64 {
                self.0.rule.lr
            }

            fn set_learning_rate(&mut self, learning_rate: f64) {
                self.0.rule.lr = learning_rate;
            }
        }
    };
}
pub(crate) use optimizer;

#[cfg(test)]
pub(crate) mod tests;
