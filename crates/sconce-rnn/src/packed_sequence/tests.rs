use super::*;
use candle_core::{DType, Device};
use proptest::prelude::*;
use sconce_testkit::Random;

/// `[time, batch, 2]` with a number of its own everywhere.
fn numbered(time: usize, batch: usize) -> Tensor {
    Tensor::arange(1f64, (time * batch * 2 + 1) as f64, &Device::Cpu)
        .unwrap()
        .reshape((time, batch, 2))
        .unwrap()
}

#[test]
fn rows_of_a_step_stand_from_the_longest_to_the_shortest_sequence() {
    let x = numbered(3, 3);
    let packed = pack_padded_sequence(&x, &[1, 3, 2], false, false).unwrap();
    let first: Vec<f64> = packed
        .data()
        .narrow(1, 0, 1)
        .unwrap()
        .flatten_all()
        .unwrap()
        .to_vec1()
        .unwrap();
    assert_eq!(first, [3., 5., 1., 9., 11., 15.]);
    assert_eq!(packed.batch_sizes(), [3, 2, 1]);
    assert_eq!(packed.sorted_indices(), Some(vec![1, 2, 0]));
    assert_eq!(packed.unsorted_indices(), Some(vec![2, 0, 1]));
    assert_eq!(packed.lengths(), [1, 3, 2]);
    let sorted = pack_padded_sequence(&x, &[3, 3, 1], false, true).unwrap();
    assert_eq!((sorted.sorted_indices(), sorted.unsorted_indices()), (None, None));
    assert_eq!(sorted.lengths(), [3, 3, 1]);
}

#[test]
fn other_rows_keep_the_form() {
    let packed = pack_padded_sequence(&numbered(3, 2), &[2, 3], false, false).unwrap();
    let doubled = packed.with_data((packed.data() * 2.).unwrap()).unwrap();
    let (y, lengths) = pad_packed_sequence(&doubled, false, 0., None).unwrap();
    assert_eq!(lengths, [2, 3]);
    let expected = pad_packed_sequence(&packed, false, 0., None).unwrap().0;
    assert_eq!(
        y.flatten_all().unwrap().to_vec1::<f64>().unwrap(),
        (expected * 2.)
            .unwrap()
            .flatten_all()
            .unwrap()
            .to_vec1::<f64>()
            .unwrap()
    );
    let message = packed.with_data(numbered(2, 2)).unwrap_err().to_string();
    assert!(
        message.contains("PackedSequence: data has shape [2, 2, 2], expected [total = 5, *]"),
        "{message}"
    );
}

#[test]
fn gradients_reach_what_was_packed() {
    let x = Random::new(1).normal((4, 3, 2), DType::F64).unwrap();
    sconce_testkit::assert_gradients(&[("x", &x)], |t: &[Tensor]| {
        let packed = pack_padded_sequence(&t[0], &[2, 4, 1], false, false)?;
        Ok((
            packed.data().clone(),
            pad_packed_sequence(&packed, true, 3., Some(6))?.0,
        ))
    });
    let y = Random::new(2).normal((3, 2), DType::F64).unwrap();
    let z = Random::new(3).normal((5, 2), DType::F64).unwrap();
    sconce_testkit::assert_gradients(&[("y", &y), ("z", &z)], |t: &[Tensor]| {
        Ok(pack_sequence(t, false)?.data().clone())
    });
}

#[test]
fn what_does_not_fit_is_an_error_that_says_so() {
    let x = numbered(4, 2);
    let pack = |lengths: &[usize], batch_first, sorted| {
        let result = pack_padded_sequence(&x, lengths, batch_first, sorted);
        result.err().map(|error| error.to_string()).unwrap_or_default()
    };
    let table = [
        (
            pack(&[4], false, false),
            "lengths has shape [1], expected [batch = 2], as the input's [4, 2, 2]",
        ),
        (
            pack(&[4, 0], false, false),
            "lengths[1] is 0, expected a length from 1 to the input's 4",
        ),
        (
            pack(&[5, 1], false, false),
            "lengths[0] is 5, expected a length from 1 to the input's 4",
        ),
        (
            pack(&[1, 2], false, true),
            "lengths[1] is 2, expected at most the 1 before it, or enforce_sorted = false",
        ),
        (
            pack(&[3, 3, 1, 1], true, false),
            "lengths[0] is 3, expected a length from 1 to the input's 2",
        ),
    ];
    for (message, expected) in table {
        assert!(
            message.contains(&format!("pack_padded_sequence: {expected}")),
            "{message}"
        );
    }
    let message = |result: Result<PackedSequence>| result.unwrap_err().to_string();
    let vector = Tensor::zeros(3, DType::F32, &Device::Cpu).unwrap();
    let rows = |n: usize, dtype| Tensor::zeros((n, 2), dtype, &Device::Cpu).unwrap();
    assert!(
        message(pack_padded_sequence(&vector, &[1], true, true))
            .contains("input has shape [3], expected [batch, time, *]")
    );
    assert!(message(pack_sequence(&[], true)).contains("lengths is empty"));
    assert!(
        message(pack_sequence(&[rows(3, DType::F32), rows(0, DType::F32)], true)).contains("lengths[1] is 0")
    );
    assert!(
        message(pack_sequence(&[rows(3, DType::F32), vector], true))
            .contains("sequences has shape [3], expected [time, *] with [2]")
    );
    assert!(
        message(pack_sequence(&[rows(3, DType::F32), rows(2, DType::F64)], true))
            .contains("dtype F64, expected F32")
    );
    assert!(
        message(pack_sequence(&[rows(2, DType::F32), rows(3, DType::F32)], true)).contains("lengths[1] is 3")
    );
    let packed = pack_padded_sequence(&x, &[4, 2], false, true).unwrap();
    let error = pad_packed_sequence(&packed, false, 0., Some(3))
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("total_length is 3, expected at least the longest sequence's length, 4"),
        "{error}"
    );
    let error = pad_packed_sequence(&packed, false, 0., Some(usize::MAX))
        .unwrap_err()
        .to_string();
    assert!(error.contains("total_length"), "{error}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn padding_undoes_packing(
        dims in proptest::collection::vec(0usize..5, 0..4),
        lengths in proptest::collection::vec(0usize..6, 0..5),
        batch_first: bool,
        enforce_sorted: bool,
        total in proptest::option::of(0usize..8),
    ) {
        let x = Random::new(1).normal(dims.as_slice(), DType::F32).unwrap();
        let Ok(packed) = pack_padded_sequence(&x, &lengths, batch_first, enforce_sorted) else {
            return Ok(());
        };
        prop_assert_eq!(packed.lengths(), lengths.clone());
        let Ok((y, same)) = pad_packed_sequence(&packed, batch_first, 0., total) else {
            prop_assert!(total.is_some_and(|total| total < packed.batch_sizes().len()));
            return Ok(());
        };
        prop_assert_eq!(&same, &lengths);
        let (time_axis, batch_axis) = if batch_first { (1, 0) } else { (0, 1) };
        for (k, &length) in lengths.iter().enumerate() {
            let row = |t: &Tensor, from, count| -> Vec<f32> {
                if count == 0 {
                    // candle panics where it reads an empty view at a tensor's end.
                    return Vec::new();
                }
                let one = t.narrow(batch_axis, k, 1).unwrap().narrow(time_axis, from, count).unwrap();
                one.flatten_all().unwrap().to_vec1().unwrap()
            };
            prop_assert_eq!(row(&x, 0, length), row(&y, 0, length));
            let rest = y.dim(time_axis).unwrap() - length;
            prop_assert!(row(&y, length, rest).iter().all(|&value| value == 0.));
        }
        let sequences: Vec<Tensor> = lengths.iter().enumerate().map(|(k, &length)| {
            let one = x.narrow(batch_axis, k, 1).unwrap().narrow(time_axis, 0, length).unwrap();
            one.squeeze(batch_axis).unwrap()
        }).collect();
        let alike = pack_sequence(&sequences, enforce_sorted).unwrap();
        prop_assert_eq!(alike.batch_sizes(), packed.batch_sizes());
        let values = |p: &PackedSequence| p.data().flatten_all().unwrap().to_vec1::<f32>().unwrap();
        prop_assert_eq!(values(&alike), values(&packed));
    }
}
