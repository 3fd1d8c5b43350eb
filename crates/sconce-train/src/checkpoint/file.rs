//! One file: named tensors and a text, with a checksum over all of them.

use crate::{Error, Result};
use candle_core::{DType, Tensor, Var};
use safetensors::View;
use sconce_core::Parameters;
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt::Display;
use std::path::Path;

/// The only key of the file's metadata, since several come in random order.
const KEY: &str = "sconce";
/// The part of a model's tensors.
pub(crate) const MODEL: &str = "model";

/// How the part of a turn begins, before its name.
pub(crate) const TURN: &str = "turn.";

/// Tensors by name, each below the part of the run that it belongs to: `model/fc.weight`.
#[derive(Debug, Default)]
pub(crate) struct Parts(BTreeMap<String, Tensor>);

impl Parts {
    /// Adds a part's tensors, as they are now.
    pub(crate) fn add(&mut self, part: &str, tensors: impl IntoIterator<Item = (String, Tensor)>) {
        self.0.extend(
            tensors
                .into_iter()
                .map(|(name, tensor)| (format!("{part}/{name}"), tensor)),
        );
    }

    /// A part's tensors.
    pub(crate) fn take(&mut self, part: &str) -> Vec<(String, Tensor)> {
        let prefix = format!("{part}/");
        let own: Vec<String> = (self.0.range(prefix.clone()..))
            .map(|(name, _)| name)
            .take_while(|name| name.starts_with(&prefix))
            .cloned()
            .collect();
        own.into_iter()
            .filter_map(|name| {
                let tensor = self.0.remove(&name)?;
                Some((name.get(prefix.len()..)?.to_string(), tensor))
            })
            .collect()
    }

    /// The part of a tensor that nobody took.
    pub(crate) fn rest(&self) -> Option<&str> {
        let (name, _) = self.0.first_key_value()?;
        Some(name.split_once('/').map_or(name, |(part, _)| part))
    }
}

#[derive(Serialize, Deserialize)]
struct Sealed<'a> {
    checksum: String,
    content: Cow<'a, str>,
}

/// Puts a file in place, whole or not at all.
pub(super) fn write(path: &Path, parts: &Parts, content: &str) -> Result<()> {
    let mut contiguous = BTreeMap::new();
    for (name, tensor) in &parts.0 {
        contiguous.insert(name, tensor.contiguous()?);
    }
    let views = contiguous.iter().map(|(name, tensor)| {
        let dtype = format!("{:?}", View::dtype(tensor));
        (name.as_str(), dtype, tensor.dims(), View::data(tensor))
    });
    let sealed = Sealed {
        checksum: checksum(content, views),
        content: content.into(),
    };
    let text = serde_json::to_string(&sealed).map_err(|error| Error::checkpoint(path, error))?;
    let tensors = contiguous.iter().map(|(name, tensor)| (name.as_str(), tensor));
    Ok(sconce_core::io::save_tensors(path, tensors, Some((KEY, &text)))?)
}

/// Why a file isn't a checkpoint to go on from.
#[derive(Debug)]
pub(crate) enum Unusable {
    /// It was written, and has changed since: the one before it may serve.
    Damaged(Error),
    /// It can't be read, or is none of this program's.
    Other(Error),
}

impl Unusable {
    pub(super) fn damaged(path: &Path, what: impl Display) -> Self {
        Self::Damaged(Error::checkpoint(path, format!("damaged: {what}")))
    }

    pub(super) fn other(path: &Path, what: impl Display) -> Self {
        Self::Other(Error::checkpoint(path, what))
    }
}

impl From<Unusable> for Error {
    fn from(unusable: Unusable) -> Self {
        let (Unusable::Damaged(error) | Unusable::Other(error)) = unusable;
        error
    }
}

/// What [`write`] put there, if nothing of it has changed since.
pub(super) fn read(path: &Path) -> Result<(Parts, String), Unusable> {
    let bytes = std::fs::read(path).map_err(|error| Unusable::other(path, error))?;
    let damaged = |what: &str| Unusable::damaged(path, what);
    let file = safetensors::SafeTensors::deserialize(&bytes).map_err(|error| damaged(&error.to_string()))?;
    let (_, header) =
        safetensors::SafeTensors::read_metadata(&bytes).map_err(|error| damaged(&error.to_string()))?;
    let text = header.metadata().as_ref().and_then(|all| all.get(KEY));
    let text = text.ok_or_else(|| {
        // Or the one bit that says so is wrong.
        Unusable::Damaged(Error::checkpoint(
            path,
            "no checkpoint, but another safetensors file",
        ))
    })?;
    let sealed: Sealed<'_> = serde_json::from_str(text).map_err(|error| damaged(&error.to_string()))?;
    let views: BTreeMap<String, safetensors::tensor::TensorView<'_>> = file.tensors().into_iter().collect();
    let seen = views.iter().map(|(name, view)| {
        let dtype = format!("{:?}", view.dtype());
        (name.as_str(), dtype, view.shape(), Cow::Borrowed(view.data()))
    });
    if checksum(&sealed.content, seen) != sealed.checksum {
        return Err(damaged("its checksum isn't that of its contents"));
    }
    // Of the very bytes that were checked.
    let tensors = sconce_core::io::tensors_of(path, &bytes);
    let mut parts = Parts(tensors.map_err(|error| Unusable::Other(error.into()))?);
    for (name, tensor) in &mut parts.0 {
        // candle 0.11.1 never comes back from making F64 of F8E4M3, as is done with states; F32 holds the same values.
        // A model's are what they are.
        if tensor.dtype() == DType::F8E4M3 && !of_a_model(name) {
            let wider = tensor.to_dtype(DType::F32);
            *tensor = wider.map_err(|error| Unusable::Other(error.into()))?;
        }
    }
    Ok((parts, sealed.content.into_owned()))
}

/// Whether a tensor is a parameter or a buffer: of the trainer's model, or of a turn's.
fn of_a_model(name: &str) -> bool {
    let mut parts = name.split('/');
    let own = parts.next();
    match own.is_some_and(|part| part.starts_with(TURN)) {
        true => parts.next() == Some(MODEL),
        false => own == Some(MODEL),
    }
}

/// Each tensor of a store with its value in the file, which must have all of them and no others.
pub(crate) fn fitting(
    path: &Path,
    saved: &[(String, Tensor)],
    parameters: &(impl Parameters + ?Sized),
) -> Result<Vec<(Var, Tensor)>> {
    let all = parameters.named_tensors();
    if let Some((name, _)) = saved
        .iter()
        .find(|(name, _)| !all.iter().any(|(own, _)| own == name))
    {
        return Err(Error::checkpoint(path, other("has", name)));
    }
    let mut updates = Vec::new();
    for (name, var) in all {
        let Some((_, value)) = saved.iter().find(|(saved, _)| *saved == name) else {
            return Err(Error::checkpoint(path, other("lacks", &name)));
        };
        if value.dims() != var.dims() || value.dtype() != var.dtype() {
            let kind = |tensor: &Tensor| format!("{:?} {:?}", tensor.dtype(), tensor.dims());
            let problem = format!(
                "is of another run: its {name} is {}, and this model's {}",
                kind(value),
                kind(&var)
            );
            return Err(Error::checkpoint(path, problem));
        }
        let value = value.to_device(var.device())?;
        updates.push((var, value));
    }
    Ok(updates)
}

/// Writes the values that [`fitting`] gave.
pub(crate) fn set(updates: &[(Var, Tensor)]) -> Result<()> {
    for (var, value) in updates {
        // candle can't set nothing to nothing.
        if var.elem_count() > 0 {
            var.set(value)?;
        }
    }
    Ok(())
}

/// What is wrong with a checkpoint whose part isn't this run's.
pub(crate) fn other(how: &str, part: &str) -> String {
    format!("is of another run: it {how} {part}")
}

/// CRC-32 of the text and of each tensor's name, type, shape and bytes, with their lengths.
fn checksum<'a>(
    content: &str,
    tensors: impl Iterator<Item = (&'a str, String, &'a [usize], Cow<'a, [u8]>)>,
) -> String {
    let mut crc = crc32fast::Hasher::new();
    let mut piece = |bytes: &[u8]| {
        crc.update(&(bytes.len() as u64).to_le_bytes());
        crc.update(bytes);
    };
    piece(content.as_bytes());
    for (name, dtype, shape, data) in tensors {
        piece(name.as_bytes());
        piece(dtype.as_bytes());
        piece(format!("{shape:?}").as_bytes());
        piece(&data);
    }
    format!("crc32:{:08x}", crc.finalize())
}
