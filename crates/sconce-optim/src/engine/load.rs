//! State that was saved, put back.

use super::state::{MASTER, State, Values};
use super::{Engine, Rule};
use candle_core::{DType, Tensor};
use sconce_core::{Error, Result, cast};
use std::collections::HashMap;

impl<R: Rule> Engine<R> {
    /// Takes over a state as [`state`](Self::state) gives it. All of it is checked before any of it is used.
    pub(crate) fn load_state(&mut self, state: &[(String, Tensor)]) -> Result<()> {
        let mut parts: HashMap<usize, HashMap<&str, &Tensor>> = HashMap::new();
        for (key, tensor) in state {
            let slot = key
                .rsplit_once('.')
                .and_then(|(name, part)| Some((*self.index.get(name)?, part)));
            let Some((slot, part)) = slot else {
                let expected = format!("PARAMETER.STATE, for a parameter that {}::new was given", R::NAME);
                return Err(Error::config(R::NAME, "state", key, expected));
            };
            if parts.entry(slot).or_default().insert(part, tensor).is_some() {
                return Err(Error::config(R::NAME, "state", key, "each name once"));
            }
        }
        let mut loaded = Vec::with_capacity(self.slots.len());
        for i in 0..self.slots.len() {
            let parts = parts.remove(&i);
            loaded.push(parts.map(|parts| self.one(i, parts)).transpose()?);
        }
        for (slot, state) in self.slots.iter_mut().zip(loaded) {
            slot.state = state.flatten();
        }
        Ok(())
    }

    /// The state of one parameter from its parts.
    fn one(&self, slot: usize, mut parts: HashMap<&str, &Tensor>) -> Result<Option<State>> {
        let Some(slot) = self.slots.get(slot) else {
            return Ok(None);
        };
        let Some(rule) = self.groups.get(slot.group) else {
            return Ok(None);
        };
        let layer = |part: &str| format!("{}.{part} ({})", slot.name, R::NAME);
        let mut take = |part: &'static str| {
            let missing = || {
                Error::config(
                    layer(part),
                    "state",
                    "missing",
                    "it beside the parameter's other state",
                )
            };
            parts.remove(part).ok_or_else(missing)
        };
        let mut state = State::new(&slot.var, rule)?;
        // Where steps aren't counted, what has a state is past the first.
        state.step = 1;
        if R::COUNTS_STEPS {
            let step = number(&layer("step"), take("step")?)?;
            if !(step >= 0. && step.fract() == 0. && step < 2f64.powi(53)) {
                return Err(Error::config(
                    layer("step"),
                    "state",
                    step,
                    "a whole number, at least 0",
                ));
            }
            state.step = step as u64;
        }
        for (&name, value) in R::NUMBER_NAMES.iter().zip(&mut state.numbers) {
            *value = number(&layer(name), take(name)?)?;
        }
        let fits = |name: &str, tensor: &Tensor, dims: Vec<usize>| {
            if tensor.dims() != dims {
                let expected = format!("{dims:?}, for the parameter's {:?}", slot.var.dims());
                return Err(Error::shape(layer(name), "state", expected, tensor.dims()));
            }
            if !tensor.dtype().is_float() {
                return Err(Error::DType {
                    layer: layer(name),
                    argument: "state",
                    expected: "floating-point numbers".into(),
                    got: tensor.dtype(),
                });
            }
            Ok(tensor.detach())
        };
        let mut tensors = Vec::new();
        for (i, &name) in rule.state_names(slot.var.rank()).iter().enumerate() {
            tensors.push(fits(name, take(name)?, R::state_dims(i, slot.var.dims()))?);
        }
        let halved = matches!(slot.var.dtype(), DType::F16 | DType::BF16);
        let master = match parts.remove(MASTER) {
            Some(master) if halved => {
                let master = fits(MASTER, master, slot.var.dims().to_vec())?.to_dtype(DType::F32)?;
                Some(master.to_device(slot.var.device())?)
            }
            Some(master) => {
                parts.insert(MASTER, master);
                None
            }
            None => None,
        };
        if let Some(part) = parts.keys().min() {
            let expected = format!("one of {:?}", rule.state_names(slot.var.rank()));
            return Err(Error::config(layer(part), "state", part, expected));
        }
        state.values.set(tensors, master)?;
        // So that a parameter on another device doesn't hold on to the file's memory.
        if let Values::Tensors { values, .. } = &mut state.values {
            for value in values {
                *value = value.copy()?;
            }
        }
        Ok(Some(state))
    }
}

/// A number that is kept as a tensor.
fn number(layer: &str, tensor: &Tensor) -> Result<f64> {
    match tensor.elem_count() {
        1 => Ok(cast(&tensor.flatten_all()?.get(0)?, DType::F64)?.to_scalar()?),
        _ => Err(Error::shape(layer, "state", "one element", tensor.dims())),
    }
}
