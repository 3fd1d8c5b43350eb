//! The traffic of Los Angeles' loop detectors.

use crate::{Error, Result};
use candle_core::{Device, Tensor};
use std::path::Path;

/// Speeds at loop detectors on highways of Los Angeles County, from 1 to 7 March 2012, and how near they are to each other.
///
/// # Shapes
/// speeds `[times, detectors]`, F32, in miles an hour, one every 5 minutes; adjacency `[detectors, detectors]`, F32, from 0 (far)
/// to 1 (the detector itself)
/// # Source
/// Zhao et al., "T-GCN: A Temporal Graph Convolutional Network for Traffic Prediction", 2020: the authors' `data` folder
#[derive(Debug, Clone)]
pub struct LosLoop {
    /// What each detector measured at each time.
    pub speeds: Tensor,
    /// Row: from; column: to.
    pub adjacency: Tensor,
}

impl LosLoop {
    /// Reads `los_speed.csv` and `los_adj.csv` in a folder.
    ///
    /// # Errors
    /// A file is missing (the message says how to get it); a value isn't a finite number, a row has another length than the
    /// first, or the two files differ in the number of detectors.
    ///
    /// # Example
    /// ```no_run
    /// use sconce_data::{LosLoop, data_dir};
    /// let traffic = LosLoop::load(data_dir().unwrap().join("los-loop"))?;
    /// assert_eq!(traffic.speeds.dims(), [2016, 207]);
    /// assert_eq!(traffic.adjacency.dims(), [207, 207]);
    /// # Ok::<(), sconce_data::Error>(())
    /// ```
    pub fn load(folder: impl AsRef<Path>) -> Result<Self> {
        let folder = folder.as_ref();
        // The first line of the speeds holds the detectors' names.
        let speeds = numbers(&folder.join("los_speed.csv"), 1)?;
        let path = folder.join("los_adj.csv");
        let adjacency = numbers(&path, 0)?;
        let detectors = speeds.dim(1)?;
        if adjacency.dims() != [detectors, detectors] {
            let problem = format!(
                "numbers of shape {:?}, expected [{detectors}, {detectors}] for the {detectors} detectors of los_speed.csv",
                adjacency.dims()
            );
            return Err(Error::file(&path.display().to_string(), problem));
        }
        Ok(Self { speeds, adjacency })
    }
}

/// A table of numbers between commas, past `skip` lines: `[rows, columns]`.
fn numbers(path: &Path, skip: usize) -> Result<Tensor> {
    let name = path.display().to_string();
    if !path.exists() {
        return Err(Error::Missing {
            path: name,
            set: "los-loop",
        });
    }
    let text = std::fs::read_to_string(path).map_err(|error| Error::file(&name, error.to_string()))?;
    let (mut values, mut rows, mut columns) = (Vec::new(), 0, 0);
    for (i, line) in text.lines().enumerate().skip(skip) {
        let before = values.len();
        for (k, field) in line.split(',').enumerate() {
            let number = field
                .trim()
                .parse::<f32>()
                .ok()
                .filter(|number| number.is_finite());
            values.push(number.ok_or_else(|| {
                let place = format!("line {}, column {}", i + 1, k + 1);
                Error::file(&name, format!("{place}: {field:?} is no finite number"))
            })?);
        }
        let found = values.len() - before;
        if rows > 0 && found != columns {
            let problem = format!(
                "line {}: {found} numbers, expected {columns} as in the lines before",
                i + 1
            );
            return Err(Error::file(&name, problem));
        }
        (rows, columns) = (rows + 1, found);
    }
    if rows == 0 {
        return Err(Error::file(&name, "holds no numbers"));
    }
    Ok(Tensor::from_vec(values, (rows, columns), &Device::Cpu)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data_dir;

    fn load(speeds: &str, adjacency: &str) -> Result<LosLoop> {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("los_speed.csv"), speeds).unwrap();
        std::fs::write(folder.path().join("los_adj.csv"), adjacency).unwrap();
        LosLoop::load(folder.path())
    }

    #[test]
    fn two_tables_are_read() {
        let read = load("773869,767541\r\n64.375,6.5e1\r\n1,2\r\n3,4\r\n", "1,0.5\n0, 1").unwrap();
        let speeds = read.speeds.to_vec2::<f32>().unwrap();
        assert_eq!(speeds, [[64.375, 65.], [1., 2.], [3., 4.]]);
        assert_eq!(read.adjacency.to_vec2::<f32>().unwrap(), [[1., 0.5], [0., 1.]]);
    }

    #[test]
    fn what_is_wrong_is_said() {
        for (speeds, adjacency, message) in [
            (
                "a,b\n1,2\n1\n",
                "1,0\n0,1",
                "los_speed.csv: line 3: 1 numbers, expected 2",
            ),
            (
                "a,b\n1,x\n",
                "1,0\n0,1",
                "los_speed.csv: line 2, column 2: \"x\" is no finite number",
            ),
            ("a,b\n1,inf\n", "1,0\n0,1", "\"inf\" is no finite number"),
            (
                "a,b\n1,2\n\n",
                "1,0\n0,1",
                "line 3, column 1: \"\" is no finite number",
            ),
            ("a,b\n", "1,0\n0,1", "los_speed.csv: holds no numbers"),
            (
                "a,b\n1,2\n",
                "1,0\n",
                "los_adj.csv: numbers of shape [1, 2], expected [2, 2]",
            ),
        ] {
            let error = load(speeds, adjacency).unwrap_err().to_string();
            assert!(error.contains(message) && !error.contains('\n'), "{error}");
        }
        let error = LosLoop::load("/no/such/folder").unwrap_err().to_string();
        assert!(
            error.contains("los_speed.csv is missing: run `cargo xtask data los-loop`"),
            "{error}"
        );
    }

    #[test]
    fn the_real_detectors() {
        let folder = data_dir().map(|data| data.join("los-loop"));
        let Some(folder) = folder.filter(|folder| folder.join("los_adj.csv").exists()) else {
            println!("skipped: los-loop isn't in the data folder");
            return;
        };
        let read = LosLoop::load(folder).unwrap();
        assert_eq!(
            (read.speeds.dims(), read.adjacency.dims()),
            (&[2016, 207][..], &[207, 207][..])
        );
        assert_eq!(
            read.speeds
                .flatten_all()
                .unwrap()
                .max(0)
                .unwrap()
                .to_scalar::<f32>()
                .unwrap(),
            70.
        );
    }
}
