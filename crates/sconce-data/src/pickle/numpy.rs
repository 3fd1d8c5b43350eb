//! NumPy's arrays and SciPy's compressed rows in pickles.

use super::{Id, Node, Pickle, Result, signed};

/// An array of numbers, in row-major order.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Array {
    pub(crate) dims: Vec<usize>,
    pub(crate) values: Vec<f64>,
}

/// A sparse matrix: row i holds the values of places `ptr[i]..ptr[i + 1]`.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Csr {
    pub(crate) columns: usize,
    ptr: Vec<usize>,
    indices: Vec<usize>,
    values: Vec<f64>,
}

impl Array {
    /// A pickled `numpy.ndarray`.
    pub(crate) fn read(pickle: &Pickle<'_>, id: Id) -> Result<Self> {
        let object = pickle.object(id, "multiarray _reconstruct")?;
        let state = object.state.ok_or("an array without its content")?;
        let &[_, shape, dtype, fortran, data] = pickle.members(state)? else {
            return Err("an array's state of other than 5 parts".into());
        };
        let dims = dims(pickle, shape)?;
        let (kind, size, is_big_endian) = dtype_of(pickle, dtype)?;
        let data = pickle.bytes(data)?;
        let bytes = dims.iter().try_fold(size, |bytes, &dim| bytes.checked_mul(dim));
        if bytes != Some(data.len()) {
            return Err(format!(
                "an array of shape {dims:?} with {size} bytes an element has {} bytes",
                data.len()
            ));
        }
        let decode = |element: &[u8]| {
            let mut element = element.to_vec();
            if is_big_endian {
                element.reverse();
            }
            decode(kind, &element)
        };
        let values = data.chunks_exact(size).map(decode).collect::<Option<Vec<_>>>();
        let values = values.ok_or("an array of a type that can't be read")?;
        match (pickle.node(fortran), dims.as_slice()) {
            (Node::Bool(true), &[rows, columns]) if !values.is_empty() => {
                let rows =
                    (0..rows).flat_map(|row| values.iter().skip(row).step_by(rows.max(1)).take(columns));
                Ok(Self {
                    values: rows.copied().collect(),
                    dims,
                })
            }
            (Node::Bool(true), other) if other.len() > 2 => Err(format!(
                "an array of shape {dims:?} in column-major order, expected at most two axes"
            )),
            _ => Ok(Self { dims, values }),
        }
    }
}

impl Csr {
    /// A pickled `scipy.sparse.csr_matrix`.
    pub(crate) fn read(pickle: &Pickle<'_>, id: Id) -> Result<Self> {
        let object = pickle.object(id, "csr_matrix")?;
        let state = pickle.items(object.state.ok_or("a sparse matrix without its content")?)?;
        let part = |name: &str| {
            let found = state
                .iter()
                .find(|(key, _)| pickle.bytes(*key) == Ok(name.as_bytes()));
            found
                .map(|(_, value)| *value)
                .ok_or_else(|| format!("a sparse matrix without {name}"))
        };
        let numbers = |name: &str| -> Result<Vec<usize>> {
            let array = Array::read(pickle, part(name)?)?;
            let numbers = array.values.iter().map(|&value| whole(value));
            numbers
                .collect::<Option<_>>()
                .ok_or_else(|| format!("a sparse matrix whose {name} aren't all numbers from 0 on"))
        };
        let shape = dims(pickle, part("_shape")?)?;
        let &[rows, columns] = shape.as_slice() else {
            return Err(format!("a sparse matrix of shape {shape:?}, expected two axes"));
        };
        let (ptr, indices) = (numbers("indptr")?, numbers("indices")?);
        let values = Array::read(pickle, part("data")?)?.values;
        let fits = Some(ptr.len()) == rows.checked_add(1)
            && ptr.first() == Some(&0)
            && ptr.is_sorted()
            && ptr.last() == Some(&indices.len())
            && values.len() == indices.len();
        if !fits {
            return Err(format!(
                "a sparse matrix of shape {shape:?} with {} row ends, {} columns and {} values that don't belong together",
                ptr.len(),
                indices.len(),
                values.len()
            ));
        }
        if let Some(column) = indices.iter().find(|&&column| column >= columns) {
            return Err(format!(
                "a sparse matrix of {columns} columns has a value in column {column}"
            ));
        }
        Ok(Self {
            columns,
            ptr,
            indices,
            values,
        })
    }

    pub(crate) fn rows(&self) -> usize {
        self.ptr.len().saturating_sub(1)
    }

    /// How many values stand in the rows.
    pub(crate) fn values(&self) -> usize {
        self.values.len()
    }

    /// Columns and values of each row.
    pub(crate) fn iter(&self) -> impl Iterator<Item = impl Iterator<Item = (usize, f64)>> {
        self.ptr
            .iter()
            .zip(self.ptr.iter().skip(1))
            .map(|(&start, &end)| {
                let indices = self.indices.get(start..end).unwrap_or_default();
                let values = self.values.get(start..end).unwrap_or_default();
                indices.iter().copied().zip(values.iter().copied())
            })
    }
}

/// A whole number that counts something.
pub(crate) fn whole(value: f64) -> Option<usize> {
    /// Up to here every whole number is a float.
    const MOST: f64 = 9_007_199_254_740_992.;
    (value.fract() == 0. && (0. ..=MOST).contains(&value)).then_some(value as usize)
}

fn dims(pickle: &Pickle<'_>, shape: Id) -> Result<Vec<usize>> {
    let dim = |&id: &Id| {
        let dim = pickle.int(id)?;
        usize::try_from(dim).map_err(|_| format!("an axis of length {dim}"))
    };
    pickle.members(shape)?.iter().map(dim).collect()
}

/// Kind, bytes and byte order of an array's elements.
fn dtype_of(pickle: &Pickle<'_>, id: Id) -> Result<(u8, usize, bool)> {
    let object = pickle.object(id, "numpy dtype")?;
    let name = pickle.members(object.args)?.first();
    let name = pickle.bytes(*name.ok_or("a dtype without a name")?)?;
    let (kind, size) = match name {
        b"f4" | b"i4" | b"u4" => (name.first(), 4),
        b"f8" | b"i8" | b"u8" => (name.first(), 8),
        b"i2" | b"u2" => (name.first(), 2),
        b"i1" | b"u1" | b"b1" => (name.first(), 1),
        _ => (None, 0),
    };
    let kind = *kind.ok_or_else(|| {
        let name = String::from_utf8_lossy(name);
        format!("an array of dtype {name:?}, expected integers or floats")
    })?;
    let state = pickle.members(object.state.ok_or("a dtype without a byte order")?)?;
    let order = pickle.bytes(*state.get(1).ok_or("a dtype without a byte order")?)?;
    Ok((kind, size, order == b">"))
}

/// A little-endian element as a float.
fn decode(kind: u8, element: &[u8]) -> Option<f64> {
    match (kind, element.len()) {
        (b'f', 4) => Some(f32::from_le_bytes(element.try_into().ok()?).into()),
        (b'f', 8) => Some(f64::from_le_bytes(element.try_into().ok()?)),
        (b'i', _) => Some(signed(element)? as f64),
        (b'u' | b'b', _) => {
            let value = element
                .iter()
                .rev()
                .fold(0u64, |value, &byte| value << 8 | u64::from(byte));
            Some(value as f64)
        }
        _ => None,
    }
}
