//! Which group each item belongs to: the target of an edge, the graph of a node.

use candle_core::{DType, Device, Tensor};
use sconce_core::{Error, Result};
use std::sync::{Arc, OnceLock};

/// A number below `num_groups` for each of `len` items, checked when it is made.
///
/// [`gather`](crate::gather) reads rows by it and [`scatter`](crate::scatter) reduces rows by it. Cloning is cheap, and the
/// order by groups is worked out once for all clones.
///
/// # Example
/// ```
/// use sconce_core::candle_core::{Device, Tensor};
/// use sconce_gnn::Index;
/// let index = Index::new(&Tensor::new(&[0i64, 2, 2], &Device::Cpu)?, 3)?;
/// assert_eq!(index.counts(), [1, 0, 2]);
/// assert!(Index::new(&Tensor::new(&[3i64], &Device::Cpu)?, 3).is_err());
/// # Ok::<(), sconce_core::Error>(())
/// ```
#[derive(Clone)]
pub struct Index(Arc<Inner>);

struct Inner {
    groups: Vec<u32>,
    num_groups: usize,
    sorted: OnceLock<Sorted>,
}

/// Items in the order of their groups: those of group g are `order[ptr[g]..ptr[g + 1]]`, in their own order.
#[derive(Debug)]
pub(crate) struct Sorted {
    pub(crate) ptr: Vec<usize>,
    pub(crate) order: Vec<u32>,
}

impl Index {
    /// An index from a tensor of integers.
    ///
    /// # Errors
    /// The tensor hasn't one axis or isn't of integers; a value isn't in `0..num_groups` (its position is named).
    pub fn new(index: &Tensor, num_groups: usize) -> Result<Self> {
        if index.rank() != 1 {
            return Err(Error::shape("Index", "index", "[items]", index.dims()));
        }
        Self::checked(
            "Index",
            "index",
            integers("Index", "index", index)?,
            0,
            num_groups,
            "num_groups",
        )
    }

    /// One group of all items.
    pub(crate) fn single(len: usize) -> Self {
        Self::trusted(vec![0; len], 1)
    }

    /// From numbers that are known to be below `num_groups`.
    pub(crate) fn trusted(groups: Vec<u32>, num_groups: usize) -> Self {
        Self(Arc::new(Inner {
            groups,
            num_groups,
            sorted: OnceLock::new(),
        }))
    }

    /// From numbers of which the first stands at `first` of the flattened tensor.
    pub(crate) fn checked(
        layer: &str,
        argument: &'static str,
        values: Vec<i64>,
        first: usize,
        num_groups: usize,
        size: &str,
    ) -> Result<Self> {
        check_size(layer, "size", num_groups)?;
        check_size(layer, argument, values.len())?;
        let valid = 0..num_groups as i64;
        if let Some((i, value)) = values.iter().enumerate().find(|(_, v)| !valid.contains(v)) {
            return Err(Error::Value {
                layer: layer.to_string(),
                argument,
                index: first + i,
                value: value.to_string(),
                expected: format!("at least 0 and below {size} = {num_groups}"),
            });
        }
        Ok(Self::trusted(
            values.into_iter().map(|value| value as u32).collect(),
            num_groups,
        ))
    }

    /// The number of items.
    pub fn len(&self) -> usize {
        self.0.groups.len()
    }

    /// Whether there are no items.
    pub fn is_empty(&self) -> bool {
        self.0.groups.is_empty()
    }

    /// The number of groups, empty ones included.
    pub fn num_groups(&self) -> usize {
        self.0.num_groups
    }

    /// Each item's group.
    pub fn to_vec(&self) -> Vec<usize> {
        self.0.groups.iter().map(|&group| group as usize).collect()
    }

    /// How many items each group has.
    pub fn counts(&self) -> Vec<usize> {
        let mut counts = vec![0; self.num_groups()];
        for &group in self.groups() {
            if let Some(count) = counts.get_mut(group as usize) {
                *count += 1;
            }
        }
        counts
    }

    /// The numbers as a tensor `[items]` of I64.
    ///
    /// # Errors
    /// Those of the device.
    pub fn tensor(&self, device: &Device) -> Result<Tensor> {
        let values = self.groups().iter().map(|&group| i64::from(group)).collect();
        Ok(Tensor::from_vec::<_, i64>(values, self.len(), device)?)
    }

    pub(crate) fn groups(&self) -> &[u32] {
        &self.0.groups
    }

    /// The items by group; a counting sort, made on first use.
    pub(crate) fn sorted(&self) -> &Sorted {
        self.0.sorted.get_or_init(|| {
            let mut ptr = Vec::with_capacity(self.num_groups() + 1);
            let mut total = 0;
            ptr.push(0);
            for count in self.counts() {
                total += count;
                ptr.push(total);
            }
            let mut next = ptr.clone();
            let mut order = vec![0; self.len()];
            for (item, &group) in self.groups().iter().enumerate() {
                if let Some(slot) = next.get_mut(group as usize) {
                    if let Some(place) = order.get_mut(*slot) {
                        *place = item as u32;
                    }
                    *slot += 1;
                }
            }
            Sorted { ptr, order }
        })
    }

    /// The index of the items `chosen`, in that order.
    pub(crate) fn select(&self, chosen: &Index) -> Self {
        let groups = self.groups();
        let picked = chosen
            .groups()
            .iter()
            .filter_map(|&item| groups.get(item as usize).copied());
        Self::trusted(picked.collect(), self.num_groups())
    }

    /// Whether both are clones of one.
    pub(crate) fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl std::fmt::Debug for Index {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Index of {} items in {} groups", self.len(), self.num_groups())
    }
}

/// Indices are kept in 32 bits, since a graph's speed is that of its memory.
pub(crate) fn check_size(layer: &str, field: &'static str, size: usize) -> Result<()> {
    if size > u32::MAX as usize {
        return Err(Error::config(layer, field, size, format!("at most {}", u32::MAX)));
    }
    Ok(())
}

/// The values of a tensor of integers.
pub(crate) fn integers(layer: &str, argument: &'static str, tensor: &Tensor) -> Result<Vec<i64>> {
    if !tensor.dtype().is_int() {
        return Err(Error::DType {
            layer: layer.to_string(),
            argument,
            expected: "an integer".into(),
            got: tensor.dtype(),
        });
    }
    Ok(tensor.flatten_all()?.to_dtype(DType::I64)?.to_vec1()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn items_come_in_the_order_of_their_groups() {
        let index = Index::new(&Tensor::new(&[2u32, 0, 2, 0, 3], &Device::Cpu).unwrap(), 5).unwrap();
        assert_eq!(index.sorted().ptr, [0, 2, 2, 4, 5, 5]);
        assert_eq!(index.sorted().order, [1, 3, 0, 2, 4]);
        assert_eq!(index.to_vec(), [2, 0, 2, 0, 3]);
        let chosen = Index::trusted(vec![4, 0], 5);
        assert_eq!(index.select(&chosen).to_vec(), [3, 2]);
    }

    #[test]
    fn bad_values_are_named() {
        let table: [(Tensor, &str); 4] = [
            (
                Tensor::new(&[0i64, -1], &Device::Cpu).unwrap(),
                "Index: index[1] is -1, expected at least 0 and below num_groups = 2",
            ),
            (Tensor::new(&[2u8], &Device::Cpu).unwrap(), "index[0] is 2"),
            (Tensor::new(&[0f32], &Device::Cpu).unwrap(), "index has dtype F32"),
            (Tensor::new(&[[0u32]], &Device::Cpu).unwrap(), "expected [items]"),
        ];
        for (tensor, message) in table {
            let error = Index::new(&tensor, 2).unwrap_err().to_string();
            assert!(error.contains(message), "{error}");
        }
        let empty = Tensor::zeros(0, DType::I64, &Device::Cpu).unwrap();
        assert!(Index::new(&empty, 0).unwrap().is_empty());
    }
}
