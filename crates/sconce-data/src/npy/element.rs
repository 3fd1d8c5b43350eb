//! Element types and their conversion.

use crate::bytes::convert;
use crate::{Error, Result};
use candle_core::{DType, Device, Tensor};

/// An element type, and whether its bytes stand in the other order.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Element {
    kind: Kind,
    is_big_endian: bool,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Kind {
    Bool,
    I8,
    I16,
    I32,
    I64,
    U8,
    U16,
    U32,
    U64,
    F16,
    F32,
    F64,
}

impl Element {
    /// From NumPy's name: a byte order, a kind and a size.
    pub(super) fn parse(descr: &str) -> std::result::Result<Self, String> {
        let (order, name) = match descr.split_at_checked(1) {
            Some((order @ ("<" | ">" | "|" | "="), name)) => (order, name),
            _ => ("|", descr),
        };
        let kind = match name {
            "b1" => Kind::Bool,
            "i1" => Kind::I8,
            "i2" => Kind::I16,
            "i4" => Kind::I32,
            "i8" => Kind::I64,
            "u1" => Kind::U8,
            "u2" => Kind::U16,
            "u4" => Kind::U32,
            "u8" => Kind::U64,
            "f2" => Kind::F16,
            "f4" => Kind::F32,
            "f8" => Kind::F64,
            _ if name.starts_with('O') => {
                return Err(
                    "holds Python objects, which are pickled and not read: expected an array of numbers"
                        .into(),
                );
            }
            _ => {
                return Err(format!(
                    "has elements of dtype {descr:?}, expected f2, f4, f8, i1, i2, i4, i8, u1, u2, u4, u8 or b1"
                ));
            }
        };
        Ok(Self {
            kind,
            is_big_endian: order == ">" || (order == "=" && cfg!(target_endian = "big")),
        })
    }

    pub(super) fn size(self) -> usize {
        match self.kind {
            Kind::Bool | Kind::I8 | Kind::U8 => 1,
            Kind::I16 | Kind::U16 | Kind::F16 => 2,
            Kind::I32 | Kind::U32 | Kind::F32 => 4,
            Kind::I64 | Kind::U64 | Kind::F64 => 8,
        }
    }

    /// The elements as a tensor, in row-major order.
    pub(super) fn tensor(self, mut bytes: Vec<u8>, dims: &[usize], name: &str) -> Result<Tensor> {
        if self.is_big_endian {
            for element in bytes.chunks_exact_mut(self.size()) {
                element.reverse();
            }
        }
        let cpu = &Device::Cpu;
        Ok(match self.kind {
            Kind::Bool => Tensor::from_vec(convert(&bytes, |[b]| u8::from(b != 0)), dims, cpu),
            Kind::I8 => Tensor::from_vec(convert(&bytes, |[b]| i16::from(b as i8)), dims, cpu),
            Kind::I16 => Tensor::from_vec(convert(&bytes, i16::from_le_bytes), dims, cpu),
            Kind::I32 => Tensor::from_vec(convert(&bytes, i32::from_le_bytes), dims, cpu),
            Kind::I64 => Tensor::from_vec(convert(&bytes, i64::from_le_bytes), dims, cpu),
            Kind::U8 => Tensor::from_vec(bytes, dims, cpu),
            Kind::U16 => {
                let wide = convert(&bytes, |b| u32::from(u16::from_le_bytes(b)));
                Tensor::from_vec(wide, dims, cpu)
            }
            Kind::U32 => Tensor::from_vec(convert(&bytes, u32::from_le_bytes), dims, cpu),
            Kind::U64 => {
                let values = convert(&bytes, u64::from_le_bytes);
                let signed: Vec<i64> = values.iter().map(|&v| v as i64).collect();
                if let Some(value) = values.iter().find(|&&value| i64::try_from(value).is_err()) {
                    let problem = format!("holds {value}, expected at most {}, as i64 does", i64::MAX);
                    return Err(Error::file(name, problem));
                }
                Tensor::from_vec(signed, dims, cpu)
            }
            Kind::F16 => Tensor::from_raw_buffer(&bytes, DType::F16, dims, cpu),
            Kind::F32 => Tensor::from_vec(convert(&bytes, f32::from_le_bytes), dims, cpu),
            Kind::F64 => Tensor::from_vec(convert(&bytes, f64::from_le_bytes), dims, cpu),
        }?)
    }
}
