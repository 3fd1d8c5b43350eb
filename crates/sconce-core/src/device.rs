//! Devices by name.

use crate::{Error, Result};
use candle_core::Device;

/// The device that a name stands for: `cpu`, `cuda`, `cuda:N`, `metal`, `metal:N`.
///
/// # Errors
/// The name is none of these, the build lacks the backend's feature (the message names it), or the driver can't open it.
///
/// # Example
/// ```
/// use sconce_core::parse_device;
/// assert!(parse_device("cpu")?.is_cpu());
/// assert!(parse_device("tpu").unwrap_err().to_string().contains("expected cpu, cuda"));
/// # Ok::<(), sconce_core::Error>(())
/// ```
pub fn parse_device(name: &str) -> Result<Device> {
    let (kind, index) = match name.split_once(':') {
        None => (name, 0),
        Some((kind, index)) => (
            kind,
            index
                .parse::<usize>()
                .map_err(|_| Error::UnknownDevice(name.to_string()))?,
        ),
    };
    let (compiled, feature, open): (_, _, fn(usize) -> candle_core::Result<Device>) = match kind {
        "cpu" if !name.contains(':') => return Ok(Device::Cpu),
        "cuda" => (candle_core::utils::cuda_is_available(), "cuda", Device::new_cuda),
        "metal" => (
            candle_core::utils::metal_is_available(),
            "metal",
            Device::new_metal,
        ),
        _ => return Err(Error::UnknownDevice(name.to_string())),
    };
    if !compiled {
        return Err(Error::DeviceNotCompiled {
            device: name.to_string(),
            feature,
        });
    }
    open(index).map_err(|error| Error::DeviceUnavailable {
        device: name.to_string(),
        reason: Error::from(error).to_string(),
    })
}

/// The fastest device that this build and this machine have: CUDA, else Metal, else the CPU.
///
/// ```
/// let device = sconce_core::best_device();
/// # let _ = device;
/// ```
pub fn best_device() -> Device {
    ["cuda", "metal"]
        .iter()
        .find_map(|name| parse_device(name).ok())
        .unwrap_or(Device::Cpu)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names() {
        assert!(parse_device("cpu").unwrap().is_cpu());
        for unknown in ["", "gpu", "cpu:0", "cuda:", "cuda:x", "cuda:-1", "metal:0:1"] {
            assert!(
                matches!(parse_device(unknown), Err(Error::UnknownDevice(_))),
                "{unknown:?}"
            );
        }
    }

    #[cfg(not(feature = "cuda"))]
    #[test]
    fn a_backend_that_is_not_compiled_in_is_named() {
        for name in ["cuda", "cuda:1"] {
            let message = parse_device(name).unwrap_err().to_string();
            assert!(
                message.contains("--features cuda") && message.contains(name),
                "{message}"
            );
        }
        assert!(!best_device().is_cuda());
    }
}
