//! Averages of a model's parameters over the steps of its training.

use crate::held::{Held, blend_all};
use crate::kernels::blend::Blend;
use candle_core::{DType, Device, Tensor, Var};
use sconce_core::{Error, Parameters, Result};
use std::collections::{HashMap, HashSet};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

/// What [`Ema`](crate::Ema) and [`Swa`](crate::Swa) share: copies of all tensors of a store, by name; those of parameters are
/// averaged, those of buffers follow.
pub(crate) struct Averages {
    name: &'static str,
    use_buffers: bool,
    n_averaged: u64,
    slots: Vec<Slot>,
    index: HashMap<String, usize>,
    /// While the averages are in the store, what was there before.
    put_aside: Option<Vec<(Var, Tensor)>>,
}

struct Slot {
    name: String,
    held: Held,
    /// Set when it is a parameter that is trained; then it stays averaged, frozen or not.
    averaged: bool,
}

const COUNT: &str = "n_averaged";
/// Which tensors are averaged and don't just follow, in the order of their names; PyTorch has nothing of the kind.
const AVERAGED: &str = "averaged";
/// PyTorch's averaged model holds the other as its `module`.
const PREFIX: &str = "module.";

impl Averages {
    pub(crate) fn new(name: &'static str, use_buffers: bool) -> Self {
        Self {
            name,
            use_buffers,
            n_averaged: 0,
            slots: Vec::new(),
            index: HashMap::new(),
            put_aside: None,
        }
    }

    pub(crate) fn n_averaged(&self) -> u64 {
        self.n_averaged
    }

    /// Takes in the parameters as they are: each average moves towards its parameter by a part of the way, which `weight` gives
    /// from the number of updates before.
    pub(crate) fn update<P: Parameters + ?Sized>(
        &mut self,
        parameters: &P,
        weight: impl Fn(u64) -> f64,
    ) -> Result<()> {
        if self.put_aside.is_some() {
            let expected = "false: swap_out first, else the averages would be averaged";
            return Err(Error::config(self.name, "swapped in", true, expected));
        }
        let trained = parameters.named_parameters();
        let trained: HashSet<&str> = trained.iter().map(|(name, _)| name.as_str()).collect();
        let all = parameters.named_tensors();
        self.check(&all)?;
        let how = Blend::Towards(weight(self.n_averaged));
        let mut values: Vec<Option<Tensor>> = vec![None; self.slots.len()];
        let mut new = Vec::new();
        for (name, var) in all {
            let averaged = trained.contains(name.as_str()) || (self.use_buffers && var.dtype().is_float());
            let value = var.as_detached_tensor();
            let known = self.index.get(&name).copied();
            match known.and_then(|i| Some((self.slots.get_mut(i)?, values.get_mut(i)?))) {
                Some((slot, place)) => {
                    slot.averaged |= averaged;
                    *place = Some(value);
                }
                None => new.push((name, value, averaged)),
            }
        }
        let mut blends = Vec::new();
        for (slot, value) in self.slots.iter_mut().zip(values) {
            let Some(value) = value else { continue };
            if slot.averaged && self.n_averaged > 0 {
                blends.push((&mut slot.held, how, value));
            } else {
                slot.held = Held::new(&value)?;
            }
        }
        blend_all(blends)?;
        // What came later starts from what it is now.
        for (name, value, averaged) in new {
            self.index.insert(name.clone(), self.slots.len());
            self.slots.push(Slot {
                held: Held::new(&value)?,
                name,
                averaged,
            });
        }
        self.n_averaged += 1;
        Ok(())
    }

    /// An error unless all that is averaged is in the store as it was.
    fn check(&self, all: &[(String, Var)]) -> Result<()> {
        let known: HashMap<&str, &Var> = all.iter().map(|(name, var)| (name.as_str(), var)).collect();
        for slot in &self.slots {
            let Some(var) = known.get(slot.name.as_str()) else {
                let expected = "the store that it was updated from before";
                return Err(Error::config(
                    self.name,
                    "parameters",
                    format!("without {}", slot.name),
                    expected,
                ));
            };
            let layer = format!("{} ({})", slot.name, self.name);
            slot.held.check(&layer, "value", var.as_tensor())?;
        }
        Ok(())
    }

    /// Puts the averages into the store, and what is there aside.
    pub(crate) fn swap_in<P: Parameters + ?Sized>(&mut self, parameters: &P) -> Result<()> {
        if self.put_aside.is_some() {
            return Err(Error::config(
                self.name,
                "swapped in",
                true,
                "false: they are in the store already",
            ));
        }
        if self.n_averaged == 0 {
            return Err(Error::config(
                self.name,
                "n_averaged",
                0,
                "at least one update before",
            ));
        }
        let all = parameters.named_tensors();
        self.check(&all)?;
        let mut aside = Vec::new();
        for (name, var) in all {
            if let Some(slot) = self.index.get(&name).and_then(|&i| self.slots.get(i)) {
                aside.push((var.clone(), var.as_detached_tensor().copy()?));
                set(&var, &slot.held.tensor()?)?;
            }
        }
        self.put_aside = Some(aside);
        Ok(())
    }

    /// Puts what was put aside back into the store. What became of the buffers meanwhile is kept with the averages.
    pub(crate) fn swap_out<P: Parameters + ?Sized>(&mut self, parameters: &P) -> Result<()> {
        let Some(aside) = self.put_aside.take() else {
            return Err(Error::config(
                self.name,
                "swapped in",
                false,
                "true: swap_in first",
            ));
        };
        let trained = parameters.named_parameters();
        let trained: HashSet<&str> = trained.iter().map(|(name, _)| name.as_str()).collect();
        for (name, var) in parameters.named_tensors() {
            let slot = self.index.get(&name).and_then(|&i| self.slots.get_mut(i));
            let Some(slot) = slot.filter(|_| !trained.contains(name.as_str())) else {
                continue;
            };
            // What stayed is held with more digits than a store of half precision has room for.
            let value = var.as_detached_tensor();
            if differ(&value, &slot.held.tensor()?)? {
                slot.held = Held::new(&value)?;
            }
        }
        aside.iter().try_for_each(|(var, value)| set(var, value))
    }

    /// Runs `f` with the averages in the store, whatever comes of it.
    pub(crate) fn within<P: Parameters + ?Sized, R>(
        &mut self,
        parameters: &P,
        f: impl FnOnce() -> R,
    ) -> Result<R> {
        self.swap_in(parameters)?;
        // A panic too: whoever catches it finds the training's values.
        let result = catch_unwind(AssertUnwindSafe(f));
        let back = self.swap_out(parameters);
        match result {
            Ok(result) => back.map(|()| result),
            Err(panic) => resume_unwind(panic),
        }
    }

    /// Copies of the averages.
    pub(crate) fn tensors(&self) -> Result<Vec<(String, Tensor)>> {
        (self.slots.iter())
            .map(|slot| Ok((slot.name.clone(), slot.held.tensor()?)))
            .collect()
    }

    pub(crate) fn state(&self) -> Result<Vec<(String, Tensor)>> {
        let mut all = vec![(
            COUNT.to_string(),
            Tensor::new(self.n_averaged as i64, &Device::Cpu)?,
        )];
        for slot in &self.slots {
            all.push((format!("{PREFIX}{}", slot.name), slot.held.kept()?));
        }
        let mut averaged: Vec<_> = (self.slots.iter())
            .map(|slot| (slot.name.as_str(), u8::from(slot.averaged)))
            .collect();
        averaged.sort_unstable();
        let averaged: Vec<u8> = averaged.into_iter().map(|(_, averaged)| averaged).collect();
        all.push((
            AVERAGED.to_string(),
            Tensor::from_slice(&averaged, averaged.len(), &Device::Cpu)?,
        ));
        Ok(all)
    }

    pub(crate) fn load_state<P: Parameters + ?Sized>(
        &mut self,
        state: &[(String, Tensor)],
        parameters: &P,
    ) -> Result<()> {
        if self.put_aside.is_some() {
            return Err(Error::config(
                self.name,
                "swapped in",
                true,
                "false: swap_out first",
            ));
        }
        let known: HashMap<String, Var> = parameters.named_tensors().into_iter().collect();
        let mut loaded = Self::new(self.name, self.use_buffers);
        let (mut count, mut averaged) = (None, None);
        for (key, tensor) in state {
            if key == COUNT && tensor.elem_count() == 1 {
                count = Some(
                    tensor
                        .flatten_all()?
                        .get(0)?
                        .to_dtype(DType::I64)?
                        .to_scalar::<i64>()?,
                );
                continue;
            }
            if key == AVERAGED && tensor.rank() == 1 {
                averaged = Some(tensor.to_dtype(DType::U8)?.to_vec1::<u8>()?);
                continue;
            }
            let name = key.strip_prefix(PREFIX).unwrap_or_default();
            let Some(var) = known.get(name) else {
                let expected = format!("{COUNT}, or {PREFIX}NAME for a tensor of the store");
                return Err(Error::config(self.name, "state", key, expected));
            };
            if tensor.dims() != var.dims() {
                let expected = format!("{:?}, as in the store", var.dims());
                return Err(Error::shape(
                    format!("{key} ({})", self.name),
                    "state",
                    expected,
                    tensor.dims(),
                ));
            }
            if loaded
                .index
                .insert(name.to_string(), loaded.slots.len())
                .is_some()
            {
                return Err(Error::config(self.name, "state", key, "each name once"));
            }
            loaded.slots.push(Slot {
                name: name.to_string(),
                held: Held::like(var.as_tensor(), tensor)?,
                averaged: false,
            });
        }
        let Some(count @ 0..) = count else {
            return Err(Error::config(
                self.name,
                "state",
                format!("{COUNT} {count:?}"),
                "a number, at least 0",
            ));
        };
        let missing = known
            .keys()
            .filter(|name| !loaded.index.contains_key(*name))
            .min();
        if let (Some(name), 1..) = (missing, count) {
            let expected = "all tensors of the store";
            return Err(Error::config(
                self.name,
                "state",
                format!("without {PREFIX}{name}"),
                expected,
            ));
        }
        if let Some(averaged) = averaged {
            if averaged.len() != loaded.slots.len() {
                let expected = format!("[{}], one for each tensor", loaded.slots.len());
                let layer = format!("{AVERAGED} ({})", self.name);
                return Err(Error::shape(
                    layer,
                    "state",
                    expected,
                    [averaged.len()].as_slice(),
                ));
            }
            let mut slots: Vec<&mut Slot> = loaded.slots.iter_mut().collect();
            slots.sort_unstable_by(|a, b| a.name.cmp(&b.name));
            for (slot, averaged) in slots.into_iter().zip(averaged) {
                slot.averaged = averaged != 0;
            }
        }
        loaded.n_averaged = count as u64;
        *self = loaded;
        Ok(())
    }
}

fn differ(a: &Tensor, b: &Tensor) -> candle_core::Result<bool> {
    Ok(a.elem_count() > 0 && a.ne(b)?.max_all()?.to_scalar::<u8>()? != 0)
}

/// candle can't set nothing to nothing.
fn set(var: &Var, value: &Tensor) -> Result<()> {
    if var.elem_count() > 0 {
        var.set(value)?;
    }
    Ok(())
}

/// The public face of a struct around [`Averages`].
macro_rules! averaged {
    ($name:ident) => {
        impl $name {
            /// How many times it was updated.
            pub fn n_averaged(&self) -> u64 {
                self.averages.n_averaged()
            }

            /// Puts the averages into the store, and the training's values aside until
            /// [`swap_out`](Self::swap_out).
            ///
            /// # Errors
            /// There was no update yet, or they are in the store already; the store lacks a tensor, or has it in another shape.
            pub fn swap_in<P: sconce_core::Parameters + ?Sized>(
                &mut self,
                parameters: &P,
            ) -> sconce_core::Result<()> {
                self.averages.swap_in(parameters)
            }

            /// Puts the training's values back into the store, to the bit. What became of buffers meanwhile, such as a batch
            /// norm's statistics, is kept with the averages.
            ///
            /// # Errors
            /// The averages aren't in the store.
            pub fn swap_out<P: sconce_core::Parameters + ?Sized>(
                &mut self,
                parameters: &P,
            ) -> sconce_core::Result<()> {
                self.averages.swap_out(parameters)
            }

            /// Runs `f` with the averages in the store, an evaluation say, and puts the training's values back.
            ///
            /// # Errors
            /// Those of [`swap_in`](Self::swap_in); what `f` gives, errors too, is handed on.
            pub fn within<P: sconce_core::Parameters + ?Sized, R>(
                &mut self,
                parameters: &P,
                f: impl FnOnce() -> R,
            ) -> sconce_core::Result<R> {
                self.averages.within(parameters, f)
            }

            /// Copies of the averages by name, with the buffers as they were at the last update: a model file's contents.
            ///
            /// # Errors
            /// Those of candle's copy.
            pub fn tensors(&self) -> sconce_core::Result<Vec<(String, candle_core::Tensor)>> {
                self.averages.tensors()
            }

            /// A copy of the state, under the names of PyTorch's `AveragedModel`: `n_averaged`, and `module.NAME` for each tensor;
            /// beside them `averaged`, which of them don't just follow.
            ///
            /// # Errors
            /// Those of candle's copy.
            pub fn state(&self) -> sconce_core::Result<Vec<(String, candle_core::Tensor)>> {
                self.averages.state()
            }

            /// Goes on from a state that [`state`](Self::state), or a PyTorch `AveragedModel`, gave.
            ///
            /// # Errors
            /// The averages are in the store; a name that the store lacks, or the state, or has twice; another shape; no count. Then nothing was
            /// changed.
            pub fn load_state<P: sconce_core::Parameters + ?Sized>(
                &mut self,
                state: &[(String, candle_core::Tensor)],
                parameters: &P,
            ) -> sconce_core::Result<()> {
                self.averages.load_state(state, parameters)
            }
        }
    };
}
pub(crate) use averaged;

#[cfg(test)]
mod tests;
