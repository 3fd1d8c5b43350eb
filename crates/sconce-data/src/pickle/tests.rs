//! A writer of pickles, with the opcodes that Python 2 and NumPy write, and what the reader makes of them.

use super::*;
use proptest::prelude::*;

fn int(value: i32) -> Vec<u8> {
    [&b"J"[..], &value.to_le_bytes()].concat()
}

fn string(text: &[u8]) -> Vec<u8> {
    [&b"T"[..], &(text.len() as u32).to_le_bytes(), text].concat()
}

fn tuple(parts: &[Vec<u8>]) -> Vec<u8> {
    [&b"("[..], &parts.concat(), b"t"].concat()
}

/// An array of little-endian elements; `data` holds their bytes.
fn ndarray(dims: &[i32], dtype: &[u8; 2], fortran: bool, data: &[u8]) -> Vec<u8> {
    let dims: Vec<Vec<u8>> = dims.iter().map(|&dim| int(dim)).collect();
    let dtype = [
        &b"cnumpy\ndtype\n"[..],
        &tuple(&[string(dtype), int(0), int(1)]),
        b"R",
        &tuple(&[
            int(3),
            string(b"<"),
            b"N".to_vec(),
            b"N".to_vec(),
            b"N".to_vec(),
            int(-1),
            int(-1),
            int(0),
        ]),
        b"b",
    ];
    let state = [
        int(1),
        tuple(&dims),
        dtype.concat(),
        vec![0x89 - u8::from(fortran)],
        string(data),
    ];
    let new = [int(0), string(b"b")];
    [
        &b"cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\n"[..],
        &tuple(&[[&b"("[..], &new[0], b"t"].concat(), new[1].clone()]),
        b"\x86R",
        &tuple(&state),
        b"b",
    ]
    .concat()
}

fn i32s(values: &[i32]) -> Vec<u8> {
    values.iter().flat_map(|value| value.to_le_bytes()).collect()
}

fn whole_pickle(content: &[u8]) -> Vec<u8> {
    [&b"\x80\x02"[..], content, b"."].concat()
}

/// A pickled array of integers.
pub(crate) fn integers(dims: &[i32], values: &[i32]) -> Vec<u8> {
    whole_pickle(&ndarray(dims, b"i4", false, &i32s(values)))
}

/// A pickled matrix in compressed rows, from each row's columns and values.
pub(crate) fn csr(columns: i32, rows: &[&[(i32, f32)]]) -> Vec<u8> {
    let mut ptr = vec![0];
    for row in rows {
        ptr.push(ptr[ptr.len() - 1] + row.len() as i32);
    }
    let entries: Vec<(i32, f32)> = rows.concat();
    let indices: Vec<i32> = entries.iter().map(|entry| entry.0).collect();
    let data: Vec<u8> = entries.iter().flat_map(|entry| entry.1.to_le_bytes()).collect();
    let array = |values: &[i32]| ndarray(&[values.len() as i32], b"i4", false, &i32s(values));
    let state = [
        string(b"_shape"),
        tuple(&[int(rows.len() as i32), int(columns)]),
        string(b"indptr"),
        array(&ptr),
        string(b"indices"),
        array(&indices),
        string(b"data"),
        ndarray(&[entries.len() as i32], b"f4", false, &data),
    ];
    let content = [
        &b"cscipy.sparse.csr\ncsr_matrix\n)\x81}("[..],
        &state.concat(),
        b"ub",
    ]
    .concat();
    whole_pickle(&content)
}

/// A pickled `defaultdict` of lists.
pub(crate) fn lists(entries: &[(i32, &[i32])]) -> Vec<u8> {
    let entry = |(key, members): &(i32, &[i32])| {
        let members: Vec<u8> = members.iter().flat_map(|&member| int(member)).collect();
        [&int(*key), &b"]("[..], &members, b"e"].concat()
    };
    let entries: Vec<u8> = entries.iter().flat_map(entry).collect();
    let content = [
        &b"ccollections\ndefaultdict\nc__builtin__\nlist\n\x85R("[..],
        &entries,
        b"u",
    ]
    .concat();
    whole_pickle(&content)
}

fn array_of(bytes: &[u8]) -> Result<Array> {
    let pickle = Pickle::read(bytes)?;
    Array::read(&pickle, pickle.root())
}

fn csr_of(bytes: &[u8]) -> Result<Csr> {
    let pickle = Pickle::read(bytes)?;
    Csr::read(&pickle, pickle.root())
}

#[test]
fn plain_values_and_the_memo() {
    // [-2, 300, 7, 0x123456789a, 7] with the 7 remembered, then one more by APPEND.
    let bytes =
        b"\x80\x02]q\x00(J\xfe\xff\xff\xffM\x2c\x01K\x07q\x01\x8a\x05\x9a\x78\x56\x34\x12h\x01eK\x03a.";
    let pickle = Pickle::read(bytes).unwrap();
    let members = pickle.members(pickle.root()).unwrap();
    let values: Vec<i64> = members.iter().map(|&id| pickle.int(id).unwrap()).collect();
    assert_eq!(values, [-2, 300, 7, 0x12_3456_789a, 7, 3]);
    // {1: (None, 1.5)}, set by SETITEM.
    let pickle = Pickle::read(b"}K\x01NG\x3f\xf8\x00\x00\x00\x00\x00\x00\x86s.").unwrap();
    let items = pickle.items(pickle.root()).unwrap();
    let members = pickle.members(items[0].1).unwrap();
    assert_eq!((pickle.int(items[0].0), members.len()), (Ok(1), 2));
    assert_eq!(
        pickle.int(members[0]),
        Err("expected an integer, found None".into())
    );
    assert_eq!(
        pickle.int(members[1]),
        Err("expected an integer, found a float".into())
    );
}

#[test]
fn arrays_of_several_types_and_orders() {
    let array = array_of(&integers(&[2, 3], &[1, -2, 3, 4, 5, 6])).unwrap();
    assert_eq!(
        (array.dims, array.values),
        (vec![2, 3], vec![1., -2., 3., 4., 5., 6.])
    );
    let by_columns = whole_pickle(&ndarray(&[2, 3], b"u1", true, &[1, 4, 2, 5, 3, 255]));
    assert_eq!(array_of(&by_columns).unwrap().values, [1., 2., 3., 4., 5., 255.]);
    let longs: Vec<u8> = [-1i64, 1 << 40]
        .iter()
        .flat_map(|value| value.to_le_bytes())
        .collect();
    let longs = whole_pickle(&ndarray(&[2], b"i8", false, &longs));
    assert_eq!(array_of(&longs).unwrap().values, [-1., 1_099_511_627_776.]);
    let floats: Vec<u8> = [0.5f64, -3.]
        .iter()
        .flat_map(|value| value.to_be_bytes())
        .collect();
    let mut floats = ndarray(&[2], b"f8", false, &floats);
    let order = floats.iter().position(|&byte| byte == b'<').unwrap();
    floats[order] = b'>';
    assert_eq!(array_of(&whole_pickle(&floats)).unwrap().values, [0.5, -3.]);
}

#[test]
fn sparse_rows() {
    let matrix = csr_of(&csr(4, &[&[(3, 1.), (0, 0.5)], &[], &[(1, 2.)]])).unwrap();
    let rows: Vec<Vec<(usize, f64)>> = matrix.iter().map(Iterator::collect).collect();
    assert_eq!(rows, [vec![(3, 1.), (0, 0.5)], vec![], vec![(1, 2.)]]);
    assert_eq!((matrix.rows(), matrix.columns), (3, 4));
}

#[test]
fn what_is_wrong_is_said() {
    let cases: [(&[u8], &str); 12] = [
        (b"", "at byte 0, cut short: expected 1 bytes more, found 0"),
        (b"\x80\x04N.", "at byte 0, protocol 4, expected at most 2"),
        (b"K", "at byte 0, cut short"),
        (b"T\xff\xff\xff\xffab.", "expected 4294967295 bytes more, found 3"),
        (b"cnumpy", "a line has no end"),
        (b".", "at byte 0, there is nothing on the stack"),
        (b"K\x01(a", "at byte 3, there is nothing on the stack"),
        (b"K\x01K\x02a", "expected a list, found an integer"),
        (b"}(K\x01u.", "a key without a value"),
        (b"h\x07.", "nothing was remembered as 7"),
        (b"t", "there is no mark"),
        (b"]\x93", "at byte 1, 0x93 is no opcode"),
    ];
    for (bytes, message) in cases {
        let error = Pickle::read(bytes).unwrap_err();
        assert!(error.contains(message), "{error}");
    }
    for (bytes, message) in [
        (
            b"K\x01.".to_vec(),
            "expected an object of multiarray _reconstruct, found an integer",
        ),
        (
            integers(&[2, 2], &[1, 2, 3]),
            "an array of shape [2, 2] with 4 bytes an element has 12 bytes",
        ),
        (integers(&[-2], &[]), "an axis of length -2"),
        (
            whole_pickle(&ndarray(&[1], b"O8", false, &[0; 8])),
            "dtype \"O8\", expected integers or floats",
        ),
        (
            whole_pickle(&ndarray(&[1, 1, 1], b"u1", true, &[0])),
            "at most two axes",
        ),
        (csr(1, &[]), "found one of scipy.sparse.csr csr_matrix"),
    ] {
        let error = array_of(&bytes).unwrap_err();
        assert!(error.contains(message), "{error}");
    }
    for (bytes, message) in [
        (
            csr(1, &[&[(1, 1.)]]),
            "a sparse matrix of 1 columns has a value in column 1",
        ),
        (
            csr(1, &[&[(-1, 1.)]]),
            "whose indices aren't all numbers from 0 on",
        ),
        (
            whole_pickle(b"cscipy.sparse.csr\ncsr_matrix\n)\x81}b"),
            "without _shape",
        ),
        (
            whole_pickle(b"cscipy.sparse.csr\ncsr_matrix\n)\x81"),
            "without its content",
        ),
    ] {
        let error = csr_of(&bytes).unwrap_err();
        assert!(error.contains(message), "{error}");
    }
}

#[test]
fn a_list_in_itself_does_no_harm() {
    let pickle = Pickle::read(b"]q\x00h\x00a.").unwrap();
    assert_eq!(pickle.members(pickle.root()).unwrap().len(), 1);
    let deep = [&vec![b']'; 200_000][..], &vec![b'a'; 199_999], b"."].concat();
    assert!(Pickle::read(&deep).is_ok());
}

proptest! {
    #[test]
    fn any_bytes_give_a_value_or_an_error(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = (array_of(&bytes), csr_of(&bytes));
    }

    /// Damage that leaves most of a pickle as it was gets further.
    #[test]
    fn damaged_pickles_give_a_value_or_an_error(
        places in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
        cut in any::<prop::sample::Index>(),
    ) {
        for mut bytes in [integers(&[2, 2], &[1, 2, 3, 4]), csr(3, &[&[(0, 1.)], &[(2, 1.), (1, 0.)]])] {
            let _ = (array_of(&bytes[..cut.index(bytes.len())]), csr_of(&bytes[..cut.index(bytes.len())]));
            for (place, byte) in &places {
                let place = place.index(bytes.len());
                bytes[place] = *byte;
            }
            let _ = (array_of(&bytes), csr_of(&bytes));
        }
    }
}
