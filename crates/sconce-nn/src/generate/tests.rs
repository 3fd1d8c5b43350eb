mod beam;
mod decode;
mod sampling;

use super::*;
use candle_core::DType;
use sconce_testkit::Random;

/// Logits that depend on a sequence's whole past, its prompt included, by a hash of it.
pub(crate) fn logits(sequence: &[u32], vocabulary: usize, seed: u64) -> Vec<f64> {
    let hash = sequence.iter().fold(seed.wrapping_add(1), |hash, &token| {
        hash.wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(23) ^ (u64::from(token) + 0x51)
    });
    let values = Random::new(hash).normal(vocabulary, DType::F64).unwrap();
    (values * 2.).unwrap().to_vec1().unwrap()
}

/// A step that computes from the whole sequences.
pub(crate) fn step(vocabulary: usize, seed: u64) -> impl FnMut(&Rows<'_>) -> Result<Tensor> {
    move |rows| {
        let values: Vec<f64> = rows
            .sequences
            .iter()
            .flat_map(|row| logits(row, vocabulary, seed))
            .collect();
        Tensor::from_vec(values, (rows.len(), vocabulary), &Device::Cpu)
    }
}

/// The same, computed from nothing but a state that is reordered by the parents, and the last tokens.
pub(crate) fn stateful_step(
    prompts: &[Vec<u32>],
    vocabulary: usize,
    seed: u64,
) -> impl FnMut(&Rows<'_>) -> Result<Tensor> {
    let mut state: Vec<Vec<u32>> = prompts.to_vec();
    let mut first = true;
    move |rows| {
        let last = rows.last_tokens(&Device::Cpu)?.to_vec1::<u32>()?;
        state = rows.parents.iter().map(|&parent| state[parent].clone()).collect();
        if !std::mem::take(&mut first) {
            state
                .iter_mut()
                .zip(last)
                .for_each(|(row, token)| row.push(token));
        }
        for (row, prompt) in state.iter().zip(rows.prompts) {
            assert!(row.starts_with(&prompts[*prompt]));
        }
        let values: Vec<f64> = state
            .iter()
            .flat_map(|row| logits(row, vocabulary, seed))
            .collect();
        Tensor::from_vec(values, (rows.len(), vocabulary), &Device::Cpu)
    }
}

#[test]
fn tokens_are_padded_and_states_reordered() {
    let rows = Rows {
        sequences: &[vec![1, 2, 3], vec![4], vec![]],
        prompts: &[0, 1, 2],
        parents: &[0, 1, 2],
    };
    let tokens = rows.tokens(9, &Device::Cpu).unwrap();
    assert_eq!(
        tokens.to_vec2::<u32>().unwrap(),
        [[1, 2, 3], [4, 9, 9], [9, 9, 9]]
    );
    let error = Error::from(rows.last_tokens(&Device::Cpu).unwrap_err()).to_string();
    assert!(error.contains("a prompt of at least one token"), "{error}");

    let state = Tensor::new(&[[1f32, 2., 3.], [4., 5., 6.]], &Device::Cpu).unwrap();
    let swapped = reorder(&state, &[1, 0, 1], 0).unwrap();
    assert_eq!(
        swapped.to_vec2::<f32>().unwrap(),
        [[4., 5., 6.], [1., 2., 3.], [4., 5., 6.]]
    );
    let columns = reorder(&state, &[2], 1).unwrap();
    assert_eq!(columns.to_vec2::<f32>().unwrap(), [[3.], [6.]]);
    for (parents, dim) in [(&[2][..], 0), (&[0], 2)] {
        let error = Error::from(reorder(&state, parents, dim).unwrap_err()).to_string();
        assert!(
            error.starts_with("reorder: state has shape [2, 3], expected an axis"),
            "{error}"
        );
    }
}
