//! What all rules share: groups of parameters, their state by name, and one parallel pass over many tensors.

mod face;
pub(crate) mod finite;
mod load;
mod pass;
mod rule;
pub(crate) mod scratch;
mod slope;
mod state;

use candle_core::backprop::GradStore;
use candle_core::{CpuStorage, Storage, Tensor, Var};
pub(crate) use face::optimizer;
pub(crate) use rule::{NUMBERS, Rule, STATES, scheduled};
use sconce_core::{Error, Gradients, NameGlob, Parameters, Result};
use scratch::Scratch;
pub(crate) use slope::{Slope, sign};
use state::{State, Values};
use std::collections::{HashMap, HashSet};

/// A rule with the parameters it works on.
pub(crate) struct Engine<R> {
    /// A set of options for each group; the first is that of all parameters that no other group took.
    groups: Vec<R>,
    /// The names that each group after the first was made for.
    globs: Vec<NameGlob>,
    slots: Vec<Slot>,
    index: HashMap<String, usize>,
    /// Whether the parameters' names are their own, not their numbers.
    named: bool,
    checks_finite: bool,
    scratch: Scratch,
}

struct Slot {
    name: String,
    var: Var,
    group: usize,
    state: Option<State>,
}

impl<R: Rule> Engine<R> {
    pub(crate) fn new<P: Parameters + ?Sized>(rule: R, parameters: &P) -> Result<Self> {
        for (name, var) in parameters.named_parameters() {
            R::check_parameter(&name, var.dims())?;
        }
        // All of them, since what is frozen now may be trained later.
        Self::of(rule, parameters.named_tensors(), true)
    }

    /// For variables without names, which go by their numbers.
    pub(crate) fn nameless(rule: R, vars: Vec<Var>) -> Result<Self> {
        let numbered = vars.into_iter().enumerate();
        Self::of(
            rule,
            numbered.map(|(i, var)| (i.to_string(), var)).collect(),
            false,
        )
    }

    fn of(rule: R, parameters: Vec<(String, Var)>, named: bool) -> Result<Self> {
        rule.check()?;
        let mut engine = Self {
            groups: vec![rule],
            globs: Vec::new(),
            slots: Vec::new(),
            index: HashMap::new(),
            named,
            checks_finite: false,
            scratch: Scratch::default(),
        };
        engine.take(parameters);
        Ok(engine)
    }

    /// Adds what isn't known by name yet, to the group that its name would have put it into had it been there.
    fn take(&mut self, parameters: Vec<(String, Var)>) {
        for (name, var) in parameters {
            if !self.index.contains_key(&name) {
                let group = self.globs.iter().rposition(|glob| glob.matches(&name));
                self.index.insert(name.clone(), self.slots.len());
                self.slots.push(Slot {
                    name,
                    var,
                    group: group.map_or(0, |group| group + 1),
                    state: None,
                });
            }
        }
    }

    pub(crate) fn add_parameters<P: Parameters + ?Sized>(&mut self, parameters: &P) -> Result<()> {
        let parameters = parameters.named_tensors();
        for (name, var) in &parameters {
            let known = self.index.get(name).and_then(|&i| self.slots.get(i));
            if known.is_some_and(|slot| slot.var.id() != var.id()) {
                let expected = "a name that no other parameter has";
                return Err(Error::config(R::NAME, "parameter", name, expected));
            }
        }
        self.take(parameters);
        Ok(())
    }

    pub(crate) fn learning_rate_of(&self, name: &str) -> f64 {
        let slot = self.index.get(name).and_then(|&i| self.slots.get(i));
        let rule = self.groups.get(slot.map_or(0, |slot| slot.group));
        rule.map_or(f64::NAN, Rule::learning_rate)
    }

    pub(crate) fn check_finite(&mut self) {
        self.checks_finite = true;
    }

    /// Moves the parameters whose name matches into a new group.
    pub(crate) fn add_group(&mut self, glob: &str, rule: R) -> Result<()> {
        rule.check()?;
        let glob = NameGlob::new(glob)?;
        let group = self.groups.len();
        let mut hits = Vec::new();
        for (i, slot) in self.slots.iter().enumerate() {
            if !glob.matches(&slot.name) {
                continue;
            }
            let names = rule.state_names(slot.var.rank());
            let old = self
                .groups
                .get(slot.group)
                .map_or(names, |old| old.state_names(slot.var.rank()));
            if slot.state.is_some() && old != names {
                let expected = format!("options that keep {old:?}, as {} has them already", slot.name);
                return Err(Error::config(R::NAME, "group", format!("{names:?}"), expected));
            }
            hits.push(i);
        }
        if hits.is_empty() {
            let what = match self.named {
                true => "parameter".to_string(),
                false => format!(
                    "parameter: candle's Optimizer::new gives them no names, {}::new(&cfg, &var_map) does",
                    R::NAME
                ),
            };
            return Err(glob.matches_no(&what));
        }
        for i in hits {
            if let Some(slot) = self.slots.get_mut(i) {
                slot.group = group;
            }
        }
        self.groups.push(rule);
        self.globs.push(glob);
        Ok(())
    }

    /// The options of each group, with the names of its parameters.
    pub(crate) fn groups(&self) -> Vec<(&R, Vec<&str>)> {
        let names = |group| {
            let own = self.slots.iter().filter(move |slot| slot.group == group);
            own.map(|slot| slot.name.as_str()).collect()
        };
        (self.groups.iter().enumerate())
            .map(|(i, rule)| (rule, names(i)))
            .collect()
    }

    pub(crate) fn rules(&self) -> &[R] {
        &self.groups
    }

    /// Gives each group a value, by `set`; nothing changes where a group doesn't take its own.
    pub(crate) fn set_each(
        &mut self,
        what: &'static str,
        values: &[f64],
        set: impl Fn(&mut R, f64),
    ) -> Result<()> {
        let mut groups = self.groups.clone();
        if values.len() != groups.len() {
            let expected = format!("one for each of the {} groups of parameters", groups.len());
            return Err(Error::config(R::NAME, what, format!("{values:?}"), expected));
        }
        for (rule, &value) in groups.iter_mut().zip(values) {
            set(rule, value);
            rule.check()?;
        }
        self.groups = groups;
        Ok(())
    }

    /// Sets every group's learning rate; whether it is one, the next step tells.
    pub(crate) fn set_learning_rate(&mut self, learning_rate: f64) {
        for rule in &mut self.groups {
            rule.set_learning_rate(learning_rate);
        }
    }

    pub(crate) fn step(&mut self, gradients: &Gradients) -> Result<()> {
        let mut found: Vec<Option<&Tensor>> = vec![None; self.slots.len()];
        for (name, gradient) in gradients.iter() {
            match self.index.get(name).and_then(|&i| found.get_mut(i)) {
                Some(place) => *place = Some(gradient),
                None => {
                    let expected = format!("the name of a parameter that {}::new was given", R::NAME);
                    return Err(Error::config(R::NAME, "gradient", name, expected));
                }
            }
        }
        let checked = self.checked(&found)?;
        self.update(checked)
    }

    pub(crate) fn step_by_candle(&mut self, gradients: &GradStore) -> Result<()> {
        let found: Vec<_> = self.slots.iter().map(|slot| gradients.get(&slot.var)).collect();
        let checked = self.checked(&found)?;
        self.update(checked)
    }

    fn update(&mut self, gradients: Vec<Option<Tensor>>) -> Result<()> {
        // The learning rate may have been set since.
        self.groups.iter().try_for_each(Rule::check)?;
        let mut last = None;
        let mut updates = Vec::with_capacity(gradients.len());
        for (slot, gradient) in self.slots.iter_mut().zip(gradients) {
            let (Some(gradient), Some(rule)) = (gradient, self.groups.get(slot.group)) else {
                continue;
            };
            if slot.state.is_none() {
                slot.state = Some(State::new(&slot.var, rule)?);
            }
            let Some(state) = &mut slot.state else { continue };
            if state.kept < rule.state_names(slot.var.rank()).len() {
                state.grow(&slot.var, rule)?;
                // Where steps aren't counted, only the first for what is kept is told apart from the others.
                state.step = if R::COUNTS_STEPS { state.step } else { 0 };
            }
            state.step += 1;
            // Parameters nearly always are at the same step, and powers are dear beside a small tensor's update.
            let constants = match last {
                Some((key, constants)) if key == (slot.group, state.step) && R::NUMBER_NAMES.is_empty() => {
                    constants
                }
                _ => rule.constants(state.step, &mut state.numbers),
            };
            last = Some(((slot.group, state.step), constants));
            match &mut state.values {
                Values::Tensors { values, master } => {
                    composite_step::<R>(&constants, &slot.var, &gradient, values, master)?;
                }
                values => updates.push(pass::Update {
                    var: &slot.var,
                    gradient,
                    values,
                    constants,
                }),
            }
        }
        pass::run::<R>(updates, &self.scratch)
    }

    /// Each slot's gradient, contiguous and in memory of its own; or the first error among them.
    fn checked(&self, gradients: &[Option<&Tensor>]) -> Result<Vec<Option<Tensor>>> {
        let written: HashSet<usize> = self.slots.iter().filter_map(|slot| address(&slot.var)).collect();
        let check = |(slot, gradient): (&Slot, &Option<&Tensor>)| {
            let Some(gradient) = gradient else { return Ok(None) };
            R::check_parameter(&slot.name, slot.var.dims())?;
            let layer = || format!("{} ({})", slot.name, R::NAME);
            if gradient.dims() != slot.var.dims() {
                let expected = format!("{:?}, the parameter's", slot.var.dims());
                return Err(Error::shape(layer(), "gradient", expected, gradient.dims()));
            }
            if gradient.dtype() != slot.var.dtype() {
                return Err(Error::DType {
                    layer: layer(),
                    argument: "gradient",
                    expected: format!("{:?}, the parameter's", slot.var.dtype()),
                    got: gradient.dtype(),
                });
            }
            if !gradient.dtype().is_float() {
                return Err(Error::DType {
                    layer: layer(),
                    argument: "gradient",
                    expected: "floating-point numbers".into(),
                    got: gradient.dtype(),
                });
            }
            if self.checks_finite {
                finite::check(&layer(), gradient)?;
            }
            // A function may hand out a parameter itself as a gradient; it would change while it is read.
            Ok(Some(match address(gradient) {
                Some(address) if written.contains(&address) => gradient.force_contiguous()?,
                _ => gradient.contiguous()?,
            }))
        };
        self.slots.iter().zip(gradients).map(check).collect()
    }

    /// Copies of the state, by parameter and PyTorch's name of it.
    pub(crate) fn state(&self) -> Result<Vec<(String, Tensor)>> {
        let mut all = Vec::new();
        let number = |value: f64| Tensor::new(value, &candle_core::Device::Cpu);
        for slot in &self.slots {
            let (Some(state), Some(rule)) = (&slot.state, self.groups.get(slot.group)) else {
                continue;
            };
            let name = &slot.name;
            if R::COUNTS_STEPS {
                all.push((format!("{name}.step"), number(state.step as f64)?));
            }
            for (number_name, &value) in R::NUMBER_NAMES.iter().zip(&state.numbers) {
                all.push((format!("{name}.{number_name}"), number(value)?));
            }
            let names = rule.state_names(slot.var.rank()).iter();
            for (i, state_name) in names.take(state.kept).enumerate() {
                if let Some(tensor) = state.values.copy::<R>(i, &slot.var)? {
                    all.push((format!("{name}.{state_name}"), tensor));
                }
            }
            if let Values::Tensors {
                master: Some(master), ..
            } = &state.values
            {
                all.push((format!("{name}.{}", state::MASTER), master.copy()?));
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
        Storage::Cpu(CpuStorage::F16(values)) => Some(values.as_ptr().addr()),
        Storage::Cpu(CpuStorage::BF16(values)) => Some(values.as_ptr().addr()),
        _ => None,
    }
}

fn composite_step<R: Rule>(
    constants: &R::Constants,
    var: &Var,
    gradient: &Tensor,
    state: &mut [Tensor],
    master: &mut Option<Tensor>,
) -> Result<()> {
    if var.elem_count() == 0 {
        return Ok(());
    }
    let dtype = state::working_dtype(var.dtype());
    let parameter = state::master_of(var, master.take())?;
    let updated = R::composite(constants, &parameter, &gradient.detach().to_dtype(dtype)?, state)?;
    var.set(&updated.to_dtype(var.dtype())?)?;
    if dtype != var.dtype() {
        *master = Some(updated);
    }
    Ok(())
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

/// An error unless both decay rates are at least 0 and below 1.
pub(crate) fn check_betas(rule: &'static str, betas: (f64, f64)) -> Result<()> {
    for (field, value) in [("betas.0", betas.0), ("betas.1", betas.1)] {
        if !(0. ..1.).contains(&value) {
            return Err(Error::config(rule, field, value, "at least 0 and below 1"));
        }
    }
    Ok(())
}

#[cfg(test)]
pub(crate) mod tests;
