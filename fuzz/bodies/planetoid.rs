//! Planetoid's eight files.

#[path = "pieces.rs"]
mod pieces;

use pieces::pieces;
use sconce_data::{Dataset, Planetoid};
use std::collections::BTreeMap;
use std::sync::OnceLock;

const PARTS: [&str; 8] = ["test.index", "x", "tx", "allx", "y", "ty", "ally", "graph"];
/// Between the pieces of an input.
const SEPARATOR: &[u8] = b"\n#\n";
/// 500 papers serve for validation.
const FIRST: usize = 503;

/// Reads the files of a small graph in which some are replaced: of each piece of the input, the first byte picks the file and
/// the others are its content. What must hold of a graph is asserted.
pub(crate) fn run(data: &[u8]) -> Result<(), String> {
    static SMALL: OnceLock<BTreeMap<&str, Vec<u8>>> = OnceLock::new();
    let mut files = SMALL.get_or_init(small).clone();
    for piece in pieces(SEPARATOR, data) {
        if let [part, content @ ..] = piece {
            files.insert(PARTS[usize::from(*part) % PARTS.len()], content.to_vec());
        }
    }
    let folder = tempfile::tempdir().unwrap();
    for (part, content) in files {
        std::fs::write(folder.path().join(format!("ind.toy.{part}")), content).unwrap();
    }
    let graph = Planetoid::load(folder.path(), "toy").map_err(|error| error.to_string())?;

    let (nodes, _) = graph.features.dims2().unwrap();
    assert_eq!(graph.labels.dims(), [nodes]);
    for label in graph.labels.to_vec1::<u32>().unwrap() {
        assert!((label as usize) < graph.classes);
    }
    for edge in graph.edge_index.flatten_all().unwrap().to_vec1::<i64>().unwrap() {
        assert!((0..nodes as i64).contains(&edge));
    }
    assert_eq!(graph.validation.len(), 500);
    for part in [&graph.train, &graph.validation, &graph.test] {
        for node in part.features().to_vec1::<u32>().unwrap() {
            assert!((node as usize) < nodes);
        }
    }
    graph.row_normalized().unwrap();
    Ok(())
}

/// 503 papers, 2 of them labelled, then test papers 505, 503 and 506: 504 is left out.
fn small() -> BTreeMap<&'static str, Vec<u8>> {
    let mut labels = vec![[1, 0]; FIRST];
    labels[1] = [0, 1];
    let mut rows = vec![vec![1]; FIRST];
    rows[0] = vec![0, 2];
    BTreeMap::from([
        ("test.index", b"505\n503\n506\n".to_vec()),
        ("x", csr(3, &rows[..2])),
        ("tx", csr(3, &[vec![0], vec![], vec![2, 1]])),
        ("allx", csr(3, &rows)),
        ("y", bytes(&[2, 2], &labels[..2].concat())),
        ("ty", bytes(&[3, 2], &[0, 1, 1, 0, 0, 1])),
        ("ally", bytes(&[FIRST, 2], &labels.concat())),
        (
            "graph",
            lists(&[(0, &[1, 1, 0, 505]), (1, &[0]), (506, &[2]), (504, &[])]),
        ),
    ])
}

/// An input that replaces this file.
#[cfg(test)]
pub(crate) fn replacing(part: &str, content: &[u8]) -> Vec<u8> {
    let place = PARTS.iter().position(|&known| known == part).unwrap();
    [&[b'0' + place as u8], content].concat()
}

/// Inputs by the names of their files, each of a whole graph.
#[cfg(test)]
pub(crate) fn seeds() -> Vec<(String, Vec<u8>)> {
    let small = small();
    let one = |part: &&str| (format!("good-{part}"), replacing(part, &small[part]));
    // Of those with a row for each paper, the labels: the input stays small.
    let parts = PARTS.iter().filter(|&&part| part != "allx");
    let mut seeds: Vec<_> = parts.map(one).collect();
    let several = ["test.index", "x", "graph"].map(|part| replacing(part, &small[part]));
    seeds.push(("good-several".to_string(), several.join(SEPARATOR)));
    // Small files that would be large graphs.
    let wide = [("x", 2), ("tx", 3), ("allx", FIRST)];
    let wide = wide.map(|(part, rows)| replacing(part, &csr(200_000, &vec![vec![0]; rows])));
    seeds.push(("bad-many-words".to_string(), wide.join(SEPARATOR)));
    seeds.push((
        "bad-shared-lists".to_string(),
        replacing("graph", &shared_lists()),
    ));
    let floats = array(
        &[2, 2],
        b"f8",
        true,
        &[1f64, 0., 0., 1.].map(f64::to_le_bytes).concat(),
    );
    seeds.push(("bad-graph".to_string(), replacing("graph", &bytes(&[1], &[1]))));
    seeds.push((
        "good-floats-by-column".to_string(),
        replacing("y", &whole(&floats)),
    ));
    seeds
}

/// A pickle of protocol 2, as Python 2 writes it.
pub(crate) fn whole(content: &[u8]) -> Vec<u8> {
    [b"\x80\x02", content, b"."].concat()
}

pub(crate) fn int(value: usize) -> Vec<u8> {
    [&b"J"[..], &(value as u32).to_le_bytes()].concat()
}

fn string(text: &[u8]) -> Vec<u8> {
    [&b"T"[..], &(text.len() as u32).to_le_bytes(), text].concat()
}

fn tuple(parts: &[Vec<u8>]) -> Vec<u8> {
    [&b"("[..], &parts.concat(), b"t"].concat()
}

/// An array of little-endian elements.
pub(crate) fn array(dims: &[usize], dtype: &[u8; 2], by_column: bool, data: &[u8]) -> Vec<u8> {
    let dims: Vec<Vec<u8>> = dims.iter().map(|&dim| int(dim)).collect();
    let order = tuple(&[int(3), string(b"<"), b"NNN".to_vec(), int(0), int(0), int(0)]);
    let dtype = [
        &b"cnumpy\ndtype\n"[..],
        &tuple(&[string(dtype), int(0), int(1)]),
        b"R",
        &order,
        b"b",
    ];
    let state = [
        int(1),
        tuple(&dims),
        dtype.concat(),
        vec![0x89 - u8::from(by_column)],
        string(data),
    ];
    let new = tuple(&[b"cnumpy\nndarray\n".to_vec(), tuple(&[int(0)]), string(b"b")]);
    [
        &b"cnumpy.core.multiarray\n_reconstruct\n"[..],
        &new,
        b"R",
        &tuple(&state),
        b"b",
    ]
    .concat()
}

fn bytes(dims: &[usize], values: &[u8]) -> Vec<u8> {
    whole(&array(dims, b"u1", false, values))
}

/// A matrix of ones in these columns of each row.
pub(crate) fn csr(columns: usize, rows: &[Vec<u8>]) -> Vec<u8> {
    let (mut ends, mut end) = (vec![0u16], 0);
    for row in rows {
        end += row.len() as u16;
        ends.push(end);
    }
    let ends: Vec<u8> = ends.iter().flat_map(|end| end.to_le_bytes()).collect();
    let (indices, count) = (rows.concat(), usize::from(end));
    let state = [
        string(b"_shape"),
        tuple(&[int(rows.len()), int(columns)]),
        string(b"indptr"),
        array(&[rows.len() + 1], b"u2", false, &ends),
        string(b"indices"),
        array(&[count], b"u1", false, &indices),
        string(b"data"),
        array(&[count], b"i1", false, &vec![1; count]),
    ];
    whole(
        &[
            &b"cscipy.sparse.csr\ncsr_matrix\n)\x81}("[..],
            &state.concat(),
            b"ub",
        ]
        .concat(),
    )
}

/// A `defaultdict` of lists.
fn lists(entries: &[(usize, &[usize])]) -> Vec<u8> {
    let entry = |(key, members): &(usize, &[usize])| {
        let members: Vec<u8> = members.iter().flat_map(|&member| int(member)).collect();
        [&int(*key), &b"]("[..], &members, b"e"].concat()
    };
    let entries: Vec<u8> = entries.iter().flat_map(entry).collect();
    whole(
        &[
            &b"ccollections\ndefaultdict\nc__builtin__\nlist\n\x85R("[..],
            &entries,
            b"u",
        ]
        .concat(),
    )
}

/// 500 papers that cite the same 500, in one list that the pickle remembers.
#[cfg(test)]
fn shared_lists() -> Vec<u8> {
    let members: Vec<u8> = (0..500).flat_map(int).collect();
    let list = [&b"]("[..], &members, b"eq\x00"].concat();
    let first = [&int(0)[..], &list].concat();
    let others: Vec<u8> = (1..500)
        .flat_map(|paper| [&int(paper)[..], b"h\x00"].concat())
        .collect();
    whole(&[b"}(", &first[..], &others, b"u"].concat())
}
