//! One case as its family's runner sees it: typed options and tensors in the precision of the run.
//!
//! Options and inputs that a runner never asks for make the case unsupported: a result that ignores one proves nothing.

use std::cell::RefCell;
use std::collections::BTreeSet;

use sconce::core::ParamStore;
use sconce::core::candle_core::{DType, Device, Tensor, Var};
use sconce_testkit::golden::Case;
use serde_json::Value;

use super::verdict::Stop;

/// In what numbers a case is computed.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Precision {
    /// As the case is stored.
    F64,
    /// In f64, from values that are rounded to f32 first.
    Rounded,
    F32,
}

impl Precision {
    fn dtype(self) -> DType {
        if self == Self::F32 { DType::F32 } else { DType::F64 }
    }

    pub(super) fn apply(self, x: Tensor) -> Result<Tensor, Stop> {
        Ok(match self {
            _ if !x.dtype().is_float() => x,
            Self::F64 => x,
            Self::Rounded => x.to_dtype(DType::F32)?.to_dtype(DType::F64)?,
            Self::F32 => x.to_dtype(DType::F32)?,
        })
    }
}

pub(super) struct Setting<'a> {
    case: Case<'a>,
    precision: Precision,
    read: RefCell<BTreeSet<String>>,
}

impl<'a> Setting<'a> {
    pub(super) fn new(case: Case<'a>, precision: Precision) -> Self {
        let read = RefCell::new(BTreeSet::from(["kind".to_owned()]));
        Self {
            case,
            precision,
            read,
        }
    }

    pub(super) fn kind(&self) -> &'a str {
        self.case.kind()
    }

    /// The configuration, for a runner that sees to it itself that nothing in it is passed over.
    pub(super) fn config(&self) -> &'a Value {
        let config = self.case.config();
        let keys = config
            .as_object()
            .into_iter()
            .flatten()
            .map(|(key, _)| key.clone());
        self.read.borrow_mut().extend(keys);
        config
    }

    /// Marks options that say nothing for this kind.
    pub(super) fn ignore(&self, keys: &[&str]) {
        self.read
            .borrow_mut()
            .extend(keys.iter().map(|key| (*key).to_owned()));
    }

    /// An option's value; none if it is absent or null.
    fn value(&self, key: &str) -> Option<&'a Value> {
        self.read.borrow_mut().insert(key.to_owned());
        self.case.config().get(key).filter(|value| !value.is_null())
    }

    fn typed<T>(
        &self,
        key: &str,
        what: &str,
        convert: impl Fn(&'a Value) -> Option<T>,
    ) -> Result<Option<T>, Stop> {
        match self.value(key) {
            None => Ok(None),
            Some(value) => match convert(value) {
                Some(typed) => Ok(Some(typed)),
                None => Err(Stop::Unsupported(format!("{key} {value}, which is not {what}"))),
            },
        }
    }

    fn required<T>(&self, key: &str, value: Option<T>) -> Result<T, Stop> {
        value.ok_or_else(|| Stop::Failed(format!("the configuration lacks `{key}`")))
    }

    pub(super) fn optional_size(&self, key: &str) -> Result<Option<usize>, Stop> {
        self.typed(key, "a size", |value| value.as_u64().map(|n| n as usize))
    }

    pub(super) fn size(&self, key: &str) -> Result<usize, Stop> {
        self.required(key, self.optional_size(key)?)
    }

    pub(super) fn optional_number(&self, key: &str) -> Result<Option<f64>, Stop> {
        self.typed(key, "a number", Value::as_f64)
    }

    pub(super) fn number(&self, key: &str) -> Result<f64, Stop> {
        self.required(key, self.optional_number(key)?)
    }

    pub(super) fn flag(&self, key: &str) -> Result<bool, Stop> {
        self.required(key, self.typed(key, "true or false", Value::as_bool)?)
    }

    pub(super) fn flag_or(&self, key: &str, default: bool) -> Result<bool, Stop> {
        Ok(self
            .typed(key, "true or false", Value::as_bool)?
            .unwrap_or(default))
    }

    pub(super) fn text(&self, key: &str) -> Result<&'a str, Stop> {
        self.required(key, self.typed(key, "a name", Value::as_str)?)
    }

    /// A list of sizes.
    pub(super) fn sizes(&self, key: &str) -> Result<Vec<usize>, Stop> {
        let convert = |value: &Value| {
            value
                .as_array()?
                .iter()
                .map(|n| n.as_u64().map(|n| n as usize))
                .collect::<Option<Vec<_>>>()
        };
        self.required(key, self.typed(key, "a list of sizes", convert)?)
    }

    /// A size for each of `N` axes.
    pub(super) fn sizes_of<const N: usize>(&self, key: &str) -> Result<[usize; N], Stop> {
        let sizes = self.sizes(key)?;
        let wrong = |sizes: Vec<usize>| Stop::Failed(format!("`{key}` is {sizes:?}, not {N} sizes"));
        sizes.try_into().map_err(wrong)
    }

    /// A list of numbers.
    pub(super) fn numbers(&self, key: &str) -> Result<Vec<f64>, Stop> {
        let convert = |value: &Value| {
            value
                .as_array()?
                .iter()
                .map(Value::as_f64)
                .collect::<Option<Vec<_>>>()
        };
        self.required(key, self.typed(key, "a list of numbers", convert)?)
    }

    /// Whether an option is there, and isn't null.
    pub(super) fn is_given(&self, key: &str) -> bool {
        self.value(key).is_some()
    }

    pub(super) fn optional_text(&self, key: &str) -> Result<Option<&'a str>, Stop> {
        self.typed(key, "a name", Value::as_str)
    }

    /// The tensor of this whole name, in the run's precision if it is of floating point.
    pub(super) fn tensor(&self, name: &str) -> Result<Tensor, Stop> {
        self.read.borrow_mut().insert(name.to_owned());
        self.precision.apply(self.case.tensor(name)?)
    }

    /// The same, if the case has it.
    pub(super) fn optional_tensor(&self, name: &str) -> Result<Option<Tensor>, Stop> {
        let has = self.case.names("").any(|known| known == name);
        has.then(|| self.tensor(name)).transpose()
    }

    /// The input `in.NAME` as a variable, so that it gets a gradient.
    pub(super) fn variable(&self, name: &str) -> Result<Var, Stop> {
        Ok(Var::from_tensor(&self.tensor(&format!("in.{name}"))?)?)
    }

    /// A store in the run's precision, for the layer to fill.
    pub(super) fn store(&self) -> ParamStore {
        ParamStore::new(self.precision.dtype(), &Device::Cpu).seeded(0)
    }

    /// Gives every parameter and buffer of the store the case's value. Running statistics start from `before.NAME`, and the
    /// count of batches from 0.
    pub(super) fn load(&self, store: &ParamStore) -> Result<(), Stop> {
        use sconce::core::Parameters;
        let ours: BTreeSet<String> = store.named_tensors().into_iter().map(|(name, _)| name).collect();
        let theirs: BTreeSet<String> = self.case.names("param.").map(str::to_owned).collect();
        if ours != theirs {
            return Err(Stop::Failed(format!(
                "parameters {ours:?}, PyTorch has {theirs:?}"
            )));
        }
        for name in theirs {
            let before = format!("before.{name}");
            if let Some(start) = self.optional_tensor(&before)? {
                store.set(&name, &start)?;
            } else if !name.ends_with("num_batches_tracked") {
                store.set(&name, &self.tensor(&format!("param.{name}"))?)?;
            }
        }
        Ok(())
    }

    /// The first option or input that nothing has read.
    pub(super) fn unread(&self) -> Option<String> {
        let read = self.read.borrow();
        let config = self.case.config().as_object();
        let option = config.into_iter().flatten().find(|(key, _)| !read.contains(*key));
        if let Some((key, value)) = option {
            return Some(format!("{key} {value}"));
        }
        let input = self
            .case
            .names("in.")
            .find(|name| !read.contains(&format!("in.{name}")));
        input.map(|name| format!("input {name}"))
    }
}
