//! Some of the parameters of a store.

use super::{NameGlob, Parameters};
use crate::{Error, Result};
use candle_core::Var;

/// The parameters whose name matches a glob, or the others: what [`Parameters::only`] and [`Parameters::except`] give.
///
/// # Example
/// ```
/// use sconce_core::candle_core::{DType, Device};
/// use sconce_core::{Init, ParamStore, Parameters, param};
/// let store = ParamStore::new(DType::F32, &Device::Cpu);
/// param(&store.builder(), (4, 3), "fc.weight", &Init::Const(0.))?;
/// param(&store.builder(), 4, "fc.bias", &Init::Const(0.))?;
/// assert_eq!(store.only("*.bias")?.named_parameters()[0].0, "fc.bias");
/// assert_eq!(store.except("*.bias")?.named_parameters()[0].0, "fc.weight");
/// assert!(store.only("*.biases").is_err());
/// # Ok::<(), sconce_core::Error>(())
/// ```
#[derive(Debug)]
pub struct Selection<'a, P: ?Sized> {
    parameters: &'a P,
    glob: NameGlob,
    matching: bool,
}

impl<'a, P: Parameters + ?Sized> Selection<'a, P> {
    pub(super) fn new(parameters: &'a P, glob: &str, matching: bool) -> Result<Self> {
        let glob = NameGlob::new(glob)?;
        if !parameters
            .named_tensors()
            .iter()
            .any(|(name, _)| glob.matches(name))
        {
            return Err(glob.matches_no("parameter"));
        }
        Ok(Self {
            parameters,
            glob,
            matching,
        })
    }

    fn choose(&self, mut all: Vec<(String, Var)>) -> Vec<(String, Var)> {
        all.retain(|(name, _)| self.has(name));
        all
    }

    fn has(&self, name: &str) -> bool {
        self.glob.matches(name) == self.matching
    }
}

impl<P: Parameters + ?Sized> Parameters for Selection<'_, P> {
    fn named_parameters(&self) -> Vec<(String, Var)> {
        self.choose(self.parameters.named_parameters())
    }

    fn named_tensors(&self) -> Vec<(String, Var)> {
        self.choose(self.parameters.named_tensors())
    }

    fn frozen_names(&self) -> Vec<String> {
        let mut names = self.parameters.frozen_names();
        names.retain(|name| self.has(name));
        names
    }

    fn set_frozen(&self, name: &str, frozen: bool) -> Result<()> {
        match self.has(name) {
            true => self.parameters.set_frozen(name, frozen),
            false => Err(Error::UnknownName(name.to_string())),
        }
    }
}
