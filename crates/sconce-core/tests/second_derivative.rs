//! Alone in its process, since candle reads the environment once a thread.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "helpers of tests fail as tests do"
)]

use candle_core::{Device, Result, Tensor, Var};
use sconce_core::{Backward, Function, Output, apply1};

struct Identity;

impl Function for Identity {
    type Saved = ();

    fn name(&self) -> &'static str {
        "identity"
    }

    fn forward(&self, inputs: &[Tensor], _: &[bool]) -> Result<(Vec<Output>, ())> {
        Ok((vec![Output::copy_of(&inputs[0])?], ()))
    }

    fn backward(&self, _: &Backward<()>, grads: &[Option<Tensor>]) -> Result<Vec<Option<Tensor>>> {
        Ok(grads.to_vec())
    }
}

/// Runs itself again with candle's switch set, since setting it in a running process isn't safe.
#[test]
fn a_gradient_of_a_gradient_is_an_error() {
    if std::env::var_os("CANDLE_GRAD_DO_NOT_DETACH").is_none() {
        let status = std::process::Command::new(std::env::current_exe().unwrap())
            .env("CANDLE_GRAD_DO_NOT_DETACH", "1")
            .args(["--exact", "a_gradient_of_a_gradient_is_an_error"])
            .status()
            .unwrap();
        return assert!(status.success());
    }
    let x = Var::new(&[2f64, 3.], &Device::Cpu).unwrap();
    let loss = apply1(Identity, &[&x.sqr().unwrap()]).unwrap().sum_all().unwrap();
    let error = sconce_core::Error::from(loss.backward().unwrap_err()).to_string();
    assert!(
        error.contains("identity has no gradient of its gradient"),
        "{error}"
    );
}
