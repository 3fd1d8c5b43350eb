//! The operations that candle walks: tie, node and port.

use super::{Node, Port, Slot, lock};
use crate::function::{Output, sink};
use candle_core::{
    CpuStorage, CudaStorage, CustomOp1, CustomOp2, CustomOp3, Layout, MetalStorage, Result, Shape, Storage,
    Tensor,
};
use std::sync::{Arc, Mutex};

/// The forward methods of an operation whose result is a token; named are the inputs after the first.
macro_rules! makes_a_token {
    ($($more:ident)*) => {
        fn cpu_fwd(
            &self,
            _: &CpuStorage,
            _: &Layout,
            $(_: storage!($more CpuStorage), _: &Layout,)*
        ) -> Result<(CpuStorage, Shape)> {
            Ok((CpuStorage::F32(vec![0.]), Shape::from(1)))
        }

        fn cuda_fwd(
            &self,
            first: &CudaStorage,
            _: &Layout,
            $(_: storage!($more CudaStorage), _: &Layout,)*
        ) -> Result<(CudaStorage, Shape)> {
            device::cuda_token(first)
        }

        fn metal_fwd(
            &self,
            first: &MetalStorage,
            _: &Layout,
            $(_: storage!($more MetalStorage), _: &Layout,)*
        ) -> Result<(MetalStorage, Shape)> {
            device::metal_token(first)
        }
    };
}

macro_rules! storage {
    ($input:ident $storage:ident) => {
        &$storage
    };
}

/// A one-element tensor on the device of another.
fn token_like(token: &Tensor, value: f32) -> Result<Tensor> {
    Tensor::full(value, token.shape(), token.device())
}

/// From an input to a token.
pub(super) struct Tie(pub(super) Arc<Slot>);

impl CustomOp1 for Tie {
    fn name(&self) -> &'static str {
        "tie"
    }

    makes_a_token!();

    fn bwd(&self, input: &Tensor, _: &Tensor, _: &Tensor) -> Result<Option<Tensor>> {
        match (self.0.take(), input.is_variable()) {
            (Some(gradient), true) => sink::deposit(input, gradient),
            (Some(gradient), false) => Ok(Some(gradient)),
            (None, true) => Ok(None),
            // candle takes the absence of a non-leaf's gradient for a fault of its own.
            (None, false) => input.zeros_like().map(Some),
        }
    }
}

/// From the inputs' tokens to the node's.
pub(super) struct NodeOp(pub(super) Arc<Node>);

impl NodeOp {
    /// The gradient of each token.
    fn gradients<const N: usize>(
        &self,
        tokens: [&Tensor; N],
        gradient: &Tensor,
    ) -> Result<[Option<Tensor>; N]> {
        let counts = self.0.run(gradient)?;
        let mut gradients = [const { None }; N];
        for ((gradient, token), count) in gradients.iter_mut().zip(tokens).zip(counts) {
            *gradient = Some(token_like(token, count)?);
        }
        Ok(gradients)
    }
}

impl CustomOp1 for NodeOp {
    fn name(&self) -> &'static str {
        self.0.call.name()
    }

    makes_a_token!();

    /// The token may be many tokens, put together.
    fn bwd(&self, token: &Tensor, _: &Tensor, gradient: &Tensor) -> Result<Option<Tensor>> {
        let counts = self.0.run(gradient)?;
        Tensor::from_vec(counts, token.shape(), token.device()).map(Some)
    }
}

impl CustomOp2 for NodeOp {
    fn name(&self) -> &'static str {
        self.0.call.name()
    }

    makes_a_token!(second);

    fn bwd(
        &self,
        a: &Tensor,
        b: &Tensor,
        _: &Tensor,
        gradient: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>)> {
        self.gradients([a, b], gradient).map(Into::into)
    }
}

impl CustomOp3 for NodeOp {
    fn name(&self) -> &'static str {
        self.0.call.name()
    }

    makes_a_token!(second third);

    fn bwd(
        &self,
        a: &Tensor,
        b: &Tensor,
        c: &Tensor,
        _: &Tensor,
        gradient: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
        self.gradients([a, b, c], gradient).map(Into::into)
    }
}

/// From the node's token to an output.
pub(super) struct PortOp {
    port: Arc<Port>,
    finished: Mutex<Option<Output>>,
}

impl PortOp {
    pub(super) fn new(port: Arc<Port>, finished: Output) -> Self {
        Self {
            port,
            finished: Mutex::new(Some(finished)),
        }
    }

    fn output(&self) -> Result<Output> {
        let missing = || candle_core::Error::Msg("an output was asked for twice".into());
        lock(&self.finished).take().ok_or_else(missing)
    }
}

fn elsewhere<T>() -> Result<T> {
    let message = "an output isn't on the device of its inputs";
    Err(candle_core::Error::Msg(message.into()))
}

impl CustomOp1 for PortOp {
    fn name(&self) -> &'static str {
        self.port.node.call.name()
    }

    fn cpu_fwd(&self, _: &CpuStorage, _: &Layout) -> Result<(CpuStorage, Shape)> {
        match self.output()? {
            Output {
                storage: Storage::Cpu(storage),
                shape,
            } => Ok((storage, shape)),
            _ => elsewhere(),
        }
    }

    fn cuda_fwd(&self, _: &CudaStorage, _: &Layout) -> Result<(CudaStorage, Shape)> {
        match self.output()? {
            Output {
                storage: Storage::Cuda(storage),
                shape,
            } => Ok((storage, shape)),
            _ => elsewhere(),
        }
    }

    fn metal_fwd(&self, _: &MetalStorage, _: &Layout) -> Result<(MetalStorage, Shape)> {
        match self.output()? {
            Output {
                storage: Storage::Metal(storage),
                shape,
            } => Ok((storage, shape)),
            _ => elsewhere(),
        }
    }

    fn bwd(&self, token: &Tensor, _: &Tensor, gradient: &Tensor) -> Result<Option<Tensor>> {
        self.port.node.deposit(self.port.output, gradient.clone())?;
        token_like(token, 1.).map(Some)
    }
}

/// Tokens on accelerators.
mod device {
    use candle_core::backend::{BackendDevice, BackendStorage};
    use candle_core::{CudaStorage, DType, MetalStorage, Result, Shape};

    pub(super) fn cuda_token(like: &CudaStorage) -> Result<(CudaStorage, Shape)> {
        let shape = Shape::from(1);
        Ok((like.device().zeros_impl(&shape, DType::F32)?, shape))
    }

    pub(super) fn metal_token(like: &MetalStorage) -> Result<(MetalStorage, Shape)> {
        let shape = Shape::from(1);
        Ok((like.device().zeros_impl(&shape, DType::F32)?, shape))
    }
}
