//! Gradients: a scope without them, and a backward pass that names them.

use crate::function::sink;
use crate::params::{NameGlob, Parameters};
use crate::{Error, Result};
use candle_core::{Tensor, TensorId, backprop::GradStore};
use std::cell::Cell;
use std::collections::HashMap;

thread_local! {
    static NO_GRAD_DEPTH: Cell<usize> = const { Cell::new(0) };
}

/// Runs `f` without recording a graph: layers read their parameters detached and keep nothing for a backward pass.
///
/// The scope covers the calling thread. Plain candle operations on a `Var` that was not read through a
/// [`Param`](crate::Param) record as ever.
///
/// ```
/// use sconce_core::{is_grad_enabled, no_grad};
/// assert!(is_grad_enabled());
/// no_grad(|| assert!(!is_grad_enabled()));
/// assert!(is_grad_enabled());
/// ```
pub fn no_grad<R>(f: impl FnOnce() -> R) -> R {
    struct Leave;
    impl Drop for Leave {
        fn drop(&mut self) {
            NO_GRAD_DEPTH.with(|depth| depth.set(depth.get() - 1));
        }
    }
    NO_GRAD_DEPTH.with(|depth| depth.set(depth.get() + 1));
    let _leave = Leave;
    f()
}

/// Whether this thread records a graph, that is, isn't inside [`no_grad`].
pub fn is_grad_enabled() -> bool {
    NO_GRAD_DEPTH.with(Cell::get) == 0
}

/// Gradients by parameter name, in the order of the store they were made for.
#[derive(Debug)]
pub struct Gradients {
    entries: Vec<(String, Tensor)>,
    index: HashMap<String, usize>,
    missing: Vec<String>,
    others: HashMap<TensorId, Tensor>,
    store: Option<GradStore>,
}

impl Gradients {
    /// The gradient of the parameter of this name.
    pub fn get(&self, name: &str) -> Option<&Tensor> {
        self.index
            .get(name)
            .and_then(|&i| self.entries.get(i))
            .map(|(_, gradient)| gradient)
    }

    /// Name and gradient of every parameter that has one.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Tensor)> {
        self.entries
            .iter()
            .map(|(name, gradient)| (name.as_str(), gradient))
    }

    /// The number of parameters that have a gradient.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether no parameter has a gradient.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The parameters that the loss doesn't depend on, or whose gradient was lost on the way: they would not be trained.
    pub fn missing(&self) -> &[String] {
        &self.missing
    }

    /// The gradient of a variable that isn't in the store, such as an input made with [`candle_core::Var`].
    pub fn of(&self, variable: &Tensor) -> Option<&Tensor> {
        self.others
            .get(&variable.id())
            .or_else(|| self.store.as_ref()?.get(variable))
    }

    /// Gradients that were made by other means than [`backward`], such as averages over several passes, by parameter name;
    /// `missing` lists the parameters that have none.
    ///
    /// # Errors
    /// A name that is there twice.
    ///
    /// # Example
    /// ```
    /// use sconce_core::{Gradients, candle_core::{Device, Tensor}};
    /// let g = Tensor::new(&[1f32, 2.], &Device::Cpu)?;
    /// let named = |name: &str| (name.to_string(), g.clone());
    /// let gradients = Gradients::from_tensors([named("w")], ["b".to_string()])?;
    /// assert_eq!((gradients.len(), gradients.missing()), (1, &["b".to_string()][..]));
    /// let error = Gradients::from_tensors([named("w"), named("w")], []).unwrap_err();
    /// assert_eq!(error.to_string(), "Gradients: name is w, expected each name once");
    /// # Ok::<(), sconce_core::Error>(())
    /// ```
    pub fn from_tensors(
        gradients: impl IntoIterator<Item = (String, Tensor)>,
        missing: impl IntoIterator<Item = String>,
    ) -> Result<Self> {
        let entries: Vec<_> = gradients.into_iter().collect();
        let mut index = HashMap::new();
        for (i, (name, _)) in entries.iter().enumerate() {
            if index.insert(name.clone(), i).is_some() {
                return Err(Error::config("Gradients", "name", name, "each name once"));
            }
        }
        Ok(Self {
            entries,
            index,
            missing: missing.into_iter().collect(),
            others: HashMap::new(),
            store: None,
        })
    }

    /// The gradients of the parameters whose name matches a [`NameGlob`](crate::NameGlob), for a rule that isn't for all of
    /// them; see [`Parameters::only`].
    ///
    /// # Errors
    /// The glob is malformed, or matches no parameter.
    ///
    /// # Example
    /// ```
    /// use sconce_core::{Gradients, candle_core::{Device, Tensor}};
    /// let g = Tensor::new(&[1f32, 2.], &Device::Cpu)?;
    /// let named = |name: &str| (name.to_string(), g.clone());
    /// let gradients = Gradients::from_tensors([named("fc.weight"), named("fc.bias")], [])?;
    /// assert!(gradients.only("*.bias")?.get("fc.bias").is_some());
    /// assert!(gradients.except("*.bias")?.get("fc.bias").is_none());
    /// # Ok::<(), sconce_core::Error>(())
    /// ```
    pub fn only(&self, glob: &str) -> Result<Self> {
        self.choose(glob, true)
    }

    /// The gradients of the parameters whose name doesn't match.
    ///
    /// # Errors
    /// Those of [`only`](Self::only).
    pub fn except(&self, glob: &str) -> Result<Self> {
        self.choose(glob, false)
    }

    fn choose(&self, glob: &str, matching: bool) -> Result<Self> {
        let glob = NameGlob::new(glob)?;
        let names = self.entries.iter().map(|(name, _)| name).chain(&self.missing);
        if !names.into_iter().any(|name| glob.matches(name)) {
            return Err(glob.matches_no("parameter"));
        }
        let entries = self
            .entries
            .iter()
            .filter(|(name, _)| glob.matches(name) == matching);
        let missing = self.missing.iter().filter(|name| glob.matches(name) == matching);
        Self::from_tensors(entries.cloned(), missing.cloned())
    }

    /// Replaces a gradient, as clipping does.
    ///
    /// # Errors
    /// No parameter of this name has a gradient; another shape or element type than the present one's.
    ///
    /// # Example
    /// ```
    /// use sconce_core::{Gradients, candle_core::{Device, Tensor}};
    /// let g = Tensor::new(&[1f32, 2.], &Device::Cpu)?;
    /// let mut gradients = Gradients::from_tensors([("w".to_string(), g.clone())], [])?;
    /// gradients.set("w", (&g * 10.)?)?;
    /// assert_eq!(gradients.get("w").unwrap().to_vec1::<f32>()?, [10., 20.]);
    /// assert!(gradients.set("v", g.clone()).is_err() && gradients.set("w", g.reshape((2, 1))?).is_err());
    /// # Ok::<(), sconce_core::Error>(())
    /// ```
    pub fn set(&mut self, name: &str, gradient: Tensor) -> Result<()> {
        let place = self.index.get(name).and_then(|&i| self.entries.get_mut(i));
        let Some((_, old)) = place else {
            let expected = "the name of a parameter that has a gradient";
            return Err(Error::config("Gradients", "name", name, expected));
        };
        if gradient.dims() != old.dims() {
            let expected = format!("{:?}, the present one's", old.dims());
            return Err(Error::shape(name, "gradient", expected, gradient.dims()));
        }
        if gradient.dtype() != old.dtype() {
            return Err(Error::DType {
                layer: name.to_string(),
                argument: "gradient",
                expected: format!("{:?}, the present one's", old.dtype()),
                got: gradient.dtype(),
            });
        }
        *old = gradient;
        Ok(())
    }
}

/// The gradients of a loss with respect to the parameters of a store.
///
/// Runs candle's own backward pass. What [`Function`](crate::Function)s find for a parameter goes straight into the result
/// and is added up in place, where candle would make zeros and a new sum for every use; the values are those of
/// `loss.backward()`.
///
/// # Shapes
/// `loss`: one element.
///
/// # Errors
/// The loss has more than one element, or nothing that can be trained leads to it; an operation in between has no backward.
///
/// # Example
/// ```
/// use sconce_core::{Init, ParamStore, backward, param};
/// use sconce_core::candle_core::{DType, Device};
/// let store = ParamStore::new(DType::F32, &Device::Cpu);
/// let w = param(&store.builder(), 3, "w", &Init::Const(2.))?;
/// let unused = param(&store.builder(), 3, "unused", &Init::Const(0.))?;
/// let gradients = backward(&w.tensor().sqr()?.sum_all()?, &store)?;
/// assert_eq!(gradients.get("w").unwrap().to_vec1::<f32>()?, [4., 4., 4.]);
/// assert_eq!(gradients.missing(), ["unused"]);
/// # Ok::<(), sconce_core::Error>(())
/// ```
pub fn backward<P: Parameters + ?Sized>(loss: &Tensor, store: &P) -> Result<Gradients> {
    if loss.elem_count() != 1 {
        return Err(Error::Backward(format!(
            "the loss has shape {:?}, expected one element: reduce it with a mean or a sum",
            loss.dims()
        )));
    }
    if !loss.track_op() {
        return Err(Error::Backward(
            "the loss depends on no parameter: it was computed inside no_grad, from frozen or detached tensors, or by an \
             operation that drops gradients"
                .into(),
        ));
    }
    let scope = sink::Scope::enter();
    let mut grads = loss.backward()?;
    let mut deposits = scope.finish();
    let (mut entries, mut index, mut missing) = (Vec::new(), HashMap::new(), Vec::new());
    for (name, var) in store.named_parameters() {
        let gradient = match (grads.remove(&var), deposits.remove(&var.id())) {
            (Some(a), Some(b)) => Some((a + b)?),
            (a, b) => a.or(b),
        };
        match gradient {
            Some(gradient) => {
                index.insert(name.clone(), entries.len());
                entries.push((name, gradient));
            }
            None => missing.push(name),
        }
    }
    let mut others = HashMap::new();
    for (id, deposit) in deposits {
        let sum = match grads.get_id(id) {
            Some(gradient) => (gradient + deposit)?,
            None => deposit,
        };
        others.insert(id, sum);
    }
    Ok(Gradients {
        entries,
        index,
        missing,
        others,
        store: Some(grads),
    })
}
