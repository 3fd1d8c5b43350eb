use super::*;
use crate::pickle::tests::{csr, integers, lists};
use crate::{Dataset, data_dir};

/// 503 papers, 2 of them labelled, then test papers 505, 503 and 506: 504 is left out.
fn small(folder: &Path) {
    let first = 503;
    let one: &[(i32, f32)] = &[(1, 1.)];
    let mut rows: Vec<&[(i32, f32)]> = vec![one; first];
    // SciPy sums what a row says of a column twice.
    rows[0] = &[(0, 1.), (2, 2.), (2, 1.)];
    let mut labels = vec![[1, 0]; first];
    labels[1] = [0, 1];
    let write =
        |part: &str, bytes: &[u8]| std::fs::write(folder.join(format!("ind.toy.{part}")), bytes).unwrap();
    write("allx", &csr(3, &rows));
    write("ally", &integers(&[first as i32, 2], &labels.concat()));
    write("x", &csr(3, &rows[..2]));
    write("y", &integers(&[2, 2], &[1, 0, 0, 1]));
    write("tx", &csr(3, &[&[(0, 5.)], &[(0, 3.)], &[(0, 6.)]]));
    write("ty", &integers(&[3, 2], &[0, 1, 1, 0, 0, 1]));
    write("test.index", b"505\n503\n506\n");
    write(
        "graph",
        &lists(&[(0, &[1, 1, 0, 505]), (1, &[0]), (506, &[2]), (504, &[])]),
    );
}

#[test]
fn test_papers_stand_where_their_numbers_say() {
    let folder = tempfile::tempdir().unwrap();
    small(folder.path());
    let toy = Planetoid::load(folder.path(), "toy").unwrap();
    assert_eq!((toy.features.dims(), toy.classes), (&[507, 3][..], 2));
    let features = toy.features.to_vec2::<f32>().unwrap();
    assert_eq!(
        (&features[0], &features[1]),
        (&vec![1., 0., 3.], &vec![0., 1., 0.])
    );
    let last: Vec<f32> = features[503..].iter().map(|row| row[0]).collect();
    assert_eq!(last, [3., 0., 5., 6.]);
    let labels = toy.labels.to_vec1::<u32>().unwrap();
    assert_eq!(
        (&labels[..3], &labels[503..]),
        (&[0, 1, 0][..], &[0, 0, 1, 1][..])
    );
    let normalized = toy.row_normalized().unwrap().to_vec2::<f32>().unwrap();
    assert_eq!(
        (&normalized[0], &normalized[504]),
        (&vec![0.25, 0., 0.75], &vec![0.; 3])
    );

    assert_eq!(
        toy.edge_index.to_vec2::<i64>().unwrap(),
        [[0, 0, 1, 2, 505, 506], [1, 505, 0, 506, 0, 2]]
    );
    let ids = |part: &TensorDataset| part.features().to_vec1::<u32>().unwrap();
    assert_eq!(
        (ids(&toy.train), ids(&toy.test)),
        (vec![0, 1], vec![503, 505, 506])
    );
    assert_eq!(ids(&toy.validation), (2..502).collect::<Vec<u32>>());
    assert_eq!(toy.test.targets().to_vec1::<u32>().unwrap(), [0, 1, 1]);
}

#[test]
fn what_is_wrong_is_said() {
    let cases: [(&str, Vec<u8>, &str); 13] = [
        ("graph", lists(&[(0, &[507])]), "ind.toy.graph: paper 507 of 507"),
        ("graph", lists(&[(-1, &[0])]), "paper -1 of 507"),
        (
            "graph",
            integers(&[1], &[1]),
            "expected a dictionary, found an object",
        ),
        (
            "test.index",
            b"505\n503\n5o6\n".to_vec(),
            "ind.toy.test.index: line 3 isn't a number: \"5o6\"",
        ),
        (
            "test.index",
            b"505\n503\n".to_vec(),
            "2 numbers for the 3 papers of tx",
        ),
        ("test.index", b"505\n503\n503\n".to_vec(), "twice"),
        (
            "test.index",
            b"503\n504\n9999999999\n".to_vec(),
            "numbers from 503 to 9999999999, expected about 3 from 503 on",
        ),
        (
            "test.index",
            b"502\n504\n505\n".to_vec(),
            "numbers from 502 to 505",
        ),
        (
            "y",
            integers(&[2, 2], &[1, 0, 1, 1]),
            "label 1 is [1.0, 1.0], expected zeros and one 1",
        ),
        (
            "y",
            integers(&[4], &[1, 0, 1, 1]),
            "labels of shape [4], expected two axes",
        ),
        (
            "tx",
            csr(3, &[&[], &[]]),
            "features of shape [2, 3] and labels of shape [3, 2], expected [n, 3] and [n, 2]",
        ),
        (
            "tx",
            csr(3, &[&[], &[(2, f32::NAN)], &[]]),
            "feature 2 of paper 503 is NaN, expected a finite number",
        ),
        (
            "x",
            b"\x80\x02".to_vec(),
            "ind.toy.x: not a pickle that can be read: at byte 2, cut short",
        ),
    ];
    for (part, bytes, message) in cases {
        let folder = tempfile::tempdir().unwrap();
        small(folder.path());
        std::fs::write(folder.path().join(format!("ind.toy.{part}")), bytes).unwrap();
        let error = Planetoid::load(folder.path(), "toy").unwrap_err().to_string();
        assert!(error.contains(message) && !error.contains('\n'), "{error}");
    }
    let folder = tempfile::tempdir().unwrap();
    for (name, message) in [
        (
            "cora",
            "ind.cora.test.index: is missing: run `cargo xtask data cora`",
        ),
        (
            "pubmed",
            "ind.pubmed.test.index: is missing: it is one of the files in https://github.com",
        ),
    ] {
        let error = Planetoid::load(folder.path(), name).unwrap_err().to_string();
        assert!(error.contains(message), "{error}");
    }
}

#[test]
fn the_real_cora() {
    let folder = data_dir().map(|data| data.join("planetoid"));
    let Some(folder) = folder.filter(|folder| folder.join("ind.cora.graph").exists()) else {
        println!("skipped: Cora isn't in the data folder");
        return;
    };
    let cora = Planetoid::load(folder, "cora").unwrap();
    assert_eq!((cora.features.dims(), cora.classes), (&[2708, 1433][..], 7));
    assert_eq!(cora.edge_index.dims(), [2, 2 * 5278]);
    let sizes = [&cora.train, &cora.validation, &cora.test].map(Dataset::len);
    assert_eq!(sizes, [140, 500, 1000]);
    // 49 216 words, none of them twice in a paper.
    let words = cora.features.sum_all().unwrap().to_scalar::<f32>().unwrap();
    assert_eq!(words, 49_216.);
    let mut each = [0; 7];
    for label in cora.train.targets().to_vec1::<u32>().unwrap() {
        each[label as usize] += 1;
    }
    assert_eq!(each, [20; 7]);
}
