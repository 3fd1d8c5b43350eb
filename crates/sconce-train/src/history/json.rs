//! A history as JSON lines, and back.

use crate::{End, EpochRecord, History, Result};
use sconce_core::io::write_atomically;
use serde::de::{self, Deserializer, MapAccess, Visitor};
use serde::ser::{SerializeMap, Serializer};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::path::Path;

const NAN: &str = "NaN";
const INFINITY: &str = "Infinity";
const NEGATIVE_INFINITY: &str = "-Infinity";

impl EpochRecord {
    /// The record as one line of JSON, without its end.
    ///
    /// JSON has no numbers that aren't finite; they are the texts `"NaN"`, `"Infinity"` and `"-Infinity"`. A NaN that has other
    /// bits than [`f64::NAN`] has them behind it, as in `"NaN(0xfff8000000000000)"`.
    ///
    /// # Example
    /// ```
    /// use sconce_train::EpochRecord;
    /// let line = r#"{"epoch":2,"train_loss":0.5,"train_metrics":{},"turns":{"critic":"NaN"},"validation":null,"learning_rate":0.1,"seconds":2.0}"#;
    /// let record = EpochRecord::from_json(line)?;
    /// assert!(record.turns[0].1.is_nan());
    /// assert_eq!(record.to_json(), line);
    /// # Ok::<(), sconce_train::Error>(())
    /// ```
    pub fn to_json(&self) -> String {
        // Texts and numbers can't fail to be written to a string.
        serde_json::to_string(self).unwrap_or_default()
    }

    /// The record that [`to_json`](Self::to_json) wrote, to the bit. Fields that it doesn't know are passed over.
    ///
    /// # Errors
    /// The text isn't JSON, or a field is missing or of another type.
    pub fn from_json(line: &str) -> Result<Self> {
        serde_json::from_str(line).map_err(|problem| damaged("EpochRecord::from_json", problem))
    }
}

impl History {
    /// One line of JSON for each epoch, as [`EpochRecord::to_json`] writes it; why the run ended isn't in them.
    ///
    /// # Example
    /// ```
    /// use sconce_train::{EpochRecord, History};
    /// let epoch = EpochRecord {
    ///     epoch: 1,
    ///     train_loss: 0.1 + 0.2,
    ///     train_metrics: vec![],
    ///     turns: vec![],
    ///     validation: None,
    ///     learning_rate: 1e-3,
    ///     seconds: 2.,
    /// };
    /// let history = History { epochs: vec![epoch], ..History::default() };
    /// assert_eq!(History::from_json_lines(&history.to_json_lines())?, history);
    /// # Ok::<(), sconce_train::Error>(())
    /// ```
    pub fn to_json_lines(&self) -> String {
        self.epochs.iter().map(|epoch| epoch.to_json() + "\n").collect()
    }

    /// The history that [`to_json_lines`](Self::to_json_lines) wrote, to the bit, as one that was [completed](End::Completed);
    /// empty lines are passed over.
    ///
    /// # Errors
    /// A line is no epoch's record; the error says which line.
    pub fn from_json_lines(text: &str) -> Result<Self> {
        records(text, "History::from_json_lines")
    }

    /// Writes [`to_json_lines`](Self::to_json_lines) to a file, whole or not at all.
    ///
    /// # Errors
    /// The folder is missing or can't be written to.
    pub fn write_json_lines(&self, path: impl AsRef<Path>) -> Result<()> {
        Ok(write_atomically(path, self.to_json_lines().as_bytes())?)
    }

    /// Reads the file that [`write_json_lines`](Self::write_json_lines) wrote.
    ///
    /// # Errors
    /// The file can't be read, or a line of it is no epoch's record.
    pub fn read_json_lines(path: impl AsRef<Path>) -> Result<Self> {
        let name = path.as_ref().display().to_string();
        let text = std::fs::read_to_string(&path).map_err(|error| damaged(&name, error))?;
        records(&text, &name)
    }
}

fn records(text: &str, source: &str) -> Result<History> {
    let lines = text
        .lines()
        .enumerate()
        .filter(|(_, line)| !line.trim().is_empty());
    let epochs = lines.map(|(i, line)| {
        serde_json::from_str(line)
            .map_err(|problem| damaged(source, format!("line {} is no epoch's record: {problem}", i + 1)))
    });
    Ok(History {
        epochs: epochs.collect::<Result<_>>()?,
        end: End::Completed,
    })
}

fn damaged(source: &str, problem: impl fmt::Display) -> crate::Error {
    let error = sconce_core::Error::File {
        path: source.to_string(),
        problem: problem.to_string(),
    };
    error.into()
}

/// A number that needn't be finite, as `#[serde(with = "number")]` on a field.
pub(super) mod number {
    use super::{Deserialize, Deserializer, Number, Serialize, Serializer};

    pub(crate) fn serialize<S: Serializer>(value: &f64, serializer: S) -> Result<S::Ok, S::Error> {
        Number(*value).serialize(serializer)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
        Ok(Number::deserialize(deserializer)?.0)
    }
}

/// An object whose fields keep their order, and of which a name may recur, as `#[serde(with = "named")]` on a field.
pub(super) mod named {
    use super::{Deserialize, Deserializer, Named, Number, SerializeMap, Serializer};

    pub(crate) fn serialize<S: Serializer>(
        fields: &[(String, f64)],
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(fields.len()))?;
        for (name, value) in fields {
            map.serialize_entry(name, &Number(*value))?;
        }
        map.end()
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Vec<(String, f64)>, D::Error> {
        Ok(Named::deserialize(deserializer)?.0)
    }
}

struct Number(f64);

impl Serialize for Number {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            value if value.is_finite() => serializer.serialize_f64(value),
            f64::INFINITY => serializer.serialize_str(INFINITY),
            f64::NEG_INFINITY => serializer.serialize_str(NEGATIVE_INFINITY),
            nan if nan.to_bits() == f64::NAN.to_bits() => serializer.serialize_str(NAN),
            nan => serializer.collect_str(&format_args!("{NAN}({:#018x})", nan.to_bits())),
        }
    }
}

impl<'de> Deserialize<'de> for Number {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Numbers;
        impl Visitor<'_> for Numbers {
            type Value = Number;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a number, \"NaN\", \"Infinity\" or \"-Infinity\"")
            }

            fn visit_f64<E: de::Error>(self, value: f64) -> Result<Number, E> {
                Ok(Number(value))
            }

            fn visit_u64<E: de::Error>(self, value: u64) -> Result<Number, E> {
                Ok(Number(value as f64))
            }

            fn visit_i64<E: de::Error>(self, value: i64) -> Result<Number, E> {
                Ok(Number(value as f64))
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Number, E> {
                let value = match text {
                    NAN => Some(f64::NAN),
                    INFINITY => Some(f64::INFINITY),
                    NEGATIVE_INFINITY => Some(f64::NEG_INFINITY),
                    other => nan_of_bits(other),
                };
                let value = value.ok_or_else(|| E::invalid_value(de::Unexpected::Str(text), &self))?;
                Ok(Number(value))
            }
        }
        deserializer.deserialize_any(Numbers)
    }
}

fn nan_of_bits(text: &str) -> Option<f64> {
    let bits = text.strip_prefix("NaN(0x")?.strip_suffix(')')?;
    let value = f64::from_bits(u64::from_str_radix(bits, 16).ok()?);
    value.is_nan().then_some(value)
}

struct Named(Vec<(String, f64)>);

impl<'de> Deserialize<'de> for Named {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Fields;
        impl<'de> Visitor<'de> for Fields {
            type Value = Named;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object of numbers")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Named, A::Error> {
                let mut fields = Vec::new();
                while let Some((name, Number(value))) = map.next_entry::<String, Number>()? {
                    fields.push((name, value));
                }
                Ok(Named(fields))
            }
        }
        deserializer.deserialize_map(Fields)
    }
}

#[cfg(test)]
mod tests;
