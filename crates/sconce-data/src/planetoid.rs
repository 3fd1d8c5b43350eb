//! Citation graphs in Planetoid's raw files.

use crate::pickle::{Array, Csr, Pickle, whole};
use crate::{Error, Result, TensorDataset};
use candle_core::{D, Device, Tensor};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// Papers after the training set that serve for validation, as everyone who uses these files has it.
const VALIDATION: usize = 500;
/// What a damaged file may claim at most: elements at all, and for each paper and each word that one has. Citeseer's papers
/// have a word of 117.
const MOST_ELEMENTS: usize = 1 << 27;
const MOST_PER_VALUE: usize = 1 << 12;

/// A citation graph as Planetoid publishes it: Cora, Citeseer or Pubmed.
///
/// Papers are nodes, known by the words in them; a few of each class are labelled. Test papers, whose order in the files is
/// another than that of their numbers, stand where their numbers say. Numbers that the files leave out (15 of Citeseer's) are
/// nodes without words, citations or label: they have the label 0 and belong to no part. A paper that cites itself and
/// citations that are listed twice are left out.
///
/// # Shapes
/// features `[nodes, words]`, F32; labels `[nodes]`, U32; edge_index `[2, edges]`, I64, each citation in both directions; of
/// the three parts the features are the numbers of nodes `[samples]`, U32, the targets their labels `[samples]`, U32
/// # Source
/// Yang, Cohen and Salakhutdinov, "Revisiting semi-supervised learning with graph embeddings", 2016
#[derive(Debug, Clone)]
pub struct Planetoid {
    /// What each paper has of each word: for Cora and Citeseer 1 if the paper has it.
    pub features: Tensor,
    /// Each paper's class.
    pub labels: Tensor,
    /// How many classes there are.
    pub classes: usize,
    /// Source and target of each edge.
    pub edge_index: Tensor,
    /// The labelled papers.
    pub train: TensorDataset,
    /// The 500 after them.
    pub validation: TensorDataset,
    /// The papers to test with, in the order of their numbers.
    pub test: TensorDataset,
}

impl Planetoid {
    /// Reads the eight files `ind.<name>.*` in a folder; `name` is `cora`, `citeseer` or `pubmed`.
    ///
    /// # Errors
    /// A file is missing (the message says how to get it), isn't such a pickle, or doesn't fit the others.
    ///
    /// # Example
    /// ```no_run
    /// use sconce_data::{Dataset, Planetoid, data_dir};
    /// let cora = Planetoid::load(data_dir().unwrap().join("planetoid"), "cora")?;
    /// assert_eq!(cora.features.dims(), [2708, 1433]);
    /// assert_eq!((cora.train.len(), cora.validation.len(), cora.test.len()), (140, 500, 1000));
    /// # Ok::<(), sconce_data::Error>(())
    /// ```
    pub fn load(folder: impl AsRef<Path>, name: &str) -> Result<Self> {
        let files = Files {
            folder: folder.as_ref(),
            name,
        };
        let test = files.test_index()?;
        let (x, tx, allx) = (files.csr("x")?, files.csr("tx")?, files.csr("allx")?);
        let (y, ty, ally) = (files.labels("y")?, files.labels("ty")?, files.labels("ally")?);
        let (words, classes) = (allx.columns, ally.classes);
        for (part, rows, columns, labels) in [
            ("x", x.rows(), x.columns, &y),
            ("tx", tx.rows(), tx.columns, &ty),
            ("allx", allx.rows(), allx.columns, &ally),
        ] {
            if rows != labels.of.len() || columns != words || labels.classes != classes {
                let problem = format!(
                    "features of shape [{rows}, {columns}] and labels of shape [{}, {}], expected [n, {words}] and [n, {classes}]",
                    labels.of.len(),
                    labels.classes
                );
                return Err(files.error(part, problem));
            }
        }
        let first = allx.rows();
        let nodes =
            check_test(&test, first, tx.rows()).map_err(|problem| files.error("test.index", problem))?;
        let values = allx.values() + tx.values();
        let most = MOST_ELEMENTS.min((nodes + values).saturating_mul(MOST_PER_VALUE));
        let size = nodes.checked_mul(words).filter(|&size| size <= most);
        let size = size.ok_or_else(|| {
            let problem = format!(
                "{nodes} papers of {words} words, of which they have {values}: expected at most {most} numbers"
            );
            files.error("allx", problem)
        })?;
        let labelled = y.of.len();
        if labelled + VALIDATION > first {
            let problem =
                format!("{first} papers, expected {labelled} to train and {VALIDATION} to validate with");
            return Err(files.error("allx", problem));
        }

        let mut features = vec![0f32; size];
        let mut labels = vec![0u32; nodes];
        let places = (0..first).chain(test.iter().copied());
        let of = ally.of.iter().chain(&ty.of);
        for (place, (row, &label)) in places.zip(allx.iter().chain(tx.iter()).zip(of)) {
            for (word, value) in row {
                if !(value as f32).is_finite() {
                    let problem =
                        format!("feature {word} of paper {place} is {value}, expected a finite number");
                    return Err(files.error("allx or tx", problem));
                }
                if let Some(feature) = features.get_mut(place * words + word) {
                    // As SciPy reads a column that a row names twice.
                    *feature += value as f32;
                }
            }
            if let Some(old) = labels.get_mut(place) {
                *old = label;
            }
        }
        let mut sorted = test;
        sorted.sort_unstable();
        let part = |which: &mut dyn Iterator<Item = usize>| {
            let ids: Vec<u32> = which.map(|node| node as u32).collect();
            let of = ids
                .iter()
                .filter_map(|&id| labels.get(id as usize).copied())
                .collect();
            let (count, device) = (ids.len(), &Device::Cpu);
            TensorDataset::new(
                &Tensor::from_vec(ids, count, device)?,
                &Tensor::from_vec::<_, u32>(of, count, device)?,
            )
        };
        Ok(Self {
            train: part(&mut (0..labelled))?,
            validation: part(&mut (labelled..labelled + VALIDATION))?,
            test: part(&mut sorted.into_iter())?,
            features: Tensor::from_vec(features, (nodes, words), &Device::Cpu)?,
            labels: Tensor::from_vec(labels, nodes, &Device::Cpu)?,
            edge_index: files.edges(nodes)?,
            classes,
        })
    }

    /// The features with rows that sum to 1, as graph networks are usually given them; a row of zeros stays one.
    ///
    /// # Errors
    /// Those of candle.
    pub fn row_normalized(&self) -> Result<Tensor> {
        let sums = self.features.sum_keepdim(D::Minus1)?;
        let divisors = sums.eq(0f32)?.where_cond(&sums.ones_like()?, &sums)?;
        Ok(self.features.broadcast_div(&divisors)?)
    }
}

/// Labels in the files are rows of zeros with a 1.
struct Labels {
    of: Vec<u32>,
    classes: usize,
}

struct Files<'a> {
    folder: &'a Path,
    name: &'a str,
}

impl Files<'_> {
    fn path(&self, part: &str) -> PathBuf {
        self.folder.join(format!("ind.{}.{part}", self.name))
    }

    fn error(&self, part: &str, problem: impl Into<String>) -> Error {
        Error::file(&self.path(part).display().to_string(), problem)
    }

    fn bytes(&self, part: &str) -> Result<Vec<u8>> {
        std::fs::read(self.path(part)).map_err(|error| match (error.kind(), self.name) {
            (std::io::ErrorKind::NotFound, "cora") => self.error(
                part,
                "is missing: run `cargo xtask data cora`, or set SCONCE_DATA to the folder that holds planetoid/",
            ),
            (std::io::ErrorKind::NotFound, _) => self.error(
                part,
                "is missing: it is one of the files in https://github.com/kimiyoung/planetoid/tree/master/data",
            ),
            _ => self.error(part, error.to_string()),
        })
    }

    fn pickle<T>(
        &self,
        part: &str,
        read: impl FnOnce(&Pickle<'_>) -> std::result::Result<T, String>,
    ) -> Result<T> {
        let bytes = self.bytes(part)?;
        Pickle::read(&bytes)
            .and_then(|pickle| read(&pickle))
            .map_err(|problem| self.error(part, problem))
    }

    fn csr(&self, part: &str) -> Result<Csr> {
        self.pickle(part, |pickle| Csr::read(pickle, pickle.root()))
    }

    fn labels(&self, part: &str) -> Result<Labels> {
        self.pickle(part, |pickle| {
            let array = Array::read(pickle, pickle.root())?;
            let &[rows, classes] = array.dims.as_slice() else {
                return Err(format!("labels of shape {:?}, expected two axes", array.dims));
            };
            if rows == 0 || classes == 0 {
                return Err(format!("labels of shape {:?}, expected some", array.dims));
            }
            let label = |(i, row): (usize, &[f64])| {
                let ones = row.iter().filter(|&&value| value == 1.).count();
                let zeros = row.iter().filter(|&&value| value == 0.).count();
                let place = row.iter().position(|&value| value == 1.);
                match place.filter(|_| ones == 1 && zeros + 1 == classes) {
                    Some(place) => Ok(place as u32),
                    None => Err(format!("label {i} is {row:?}, expected zeros and one 1")),
                }
            };
            let of = array.values.chunks_exact(classes).enumerate().map(label);
            Ok(Labels {
                of: of.collect::<std::result::Result<_, _>>()?,
                classes,
            })
        })
    }

    /// The numbers of the test's papers, in the order of `tx`.
    fn test_index(&self) -> Result<Vec<usize>> {
        let bytes = self.bytes("test.index")?;
        let text = String::from_utf8_lossy(&bytes);
        let number = |(i, line): (usize, &str)| {
            let number = line.trim().parse::<f64>().ok().and_then(whole);
            number.ok_or_else(|| self.error("test.index", format!("line {} isn't a number: {line:?}", i + 1)))
        };
        let lines = text
            .lines()
            .enumerate()
            .filter(|(_, line)| !line.trim().is_empty());
        lines.map(number).collect()
    }

    /// Both directions of each citation, by source and target.
    fn edges(&self, nodes: usize) -> Result<Tensor> {
        let edges = self.pickle("graph", |pickle| {
            let node = |id| {
                let node = pickle.int(id)?;
                let checked = u32::try_from(node)
                    .ok()
                    .filter(|&checked| (checked as usize) < nodes);
                checked.ok_or_else(|| format!("paper {node} of {nodes}"))
            };
            let (mut edges, mut citations) = (BTreeSet::new(), 0);
            for &(paper, cited) in pickle.items(pickle.root())? {
                let paper = node(paper)?;
                let all = pickle.members(cited)?;
                // Where papers share a list, a small file would hold any number of them.
                citations += all.len();
                if citations > pickle.size() {
                    return Err(format!(
                        "more citations than its {} bytes can hold",
                        pickle.size()
                    ));
                }
                for &cited in all {
                    let cited = node(cited)?;
                    if paper != cited {
                        edges.extend([(paper, cited), (cited, paper)]);
                    }
                }
            }
            Ok(edges)
        })?;
        let (sources, targets) = (edges.iter().map(|edge| edge.0), edges.iter().map(|edge| edge.1));
        let index = sources.chain(targets).map(i64::from).collect::<Vec<_>>();
        Ok(Tensor::from_vec(index, (2, edges.len()), &Device::Cpu)?)
    }
}

/// The number of nodes, if the test's papers are as many as there are features for, and follow the first.
fn check_test(test: &[usize], first: usize, rows: usize) -> std::result::Result<usize, String> {
    if test.len() != rows || test.is_empty() {
        return Err(format!("{} numbers for the {rows} papers of tx", test.len()));
    }
    let distinct: BTreeSet<&usize> = test.iter().collect();
    if distinct.len() != test.len() {
        return Err("a number stands there twice".into());
    }
    let (least, most) = (distinct.first(), distinct.last());
    match (least, most) {
        // A few numbers may be left out, not most of them.
        (Some(&&least), Some(&&most)) if least >= first && most - first < 2 * rows => Ok(most + 1),
        _ => Err(format!(
            "numbers from {} to {}, expected about {rows} from {first} on",
            least.copied().unwrap_or(&0),
            most.copied().unwrap_or(&0)
        )),
    }
}

#[cfg(test)]
mod tests;
