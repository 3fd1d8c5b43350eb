//! What a stack of layers sees of its input.

/// The window of one layer along an axis, for [`receptive_field`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    /// Taps of the window.
    pub kernel: usize,
    /// Distance between windows.
    pub stride: usize,
    /// Padding before the input.
    pub padding: usize,
    /// Distance between taps.
    pub dilation: usize,
}

impl Window {
    /// Stride 1, no padding, taps side by side.
    pub fn new(kernel: usize) -> Self {
        Self {
            kernel,
            stride: 1,
            padding: 0,
            dilation: 1,
        }
    }
}

/// What one output of a stack of layers sees of the first layer's input, along an axis.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReceptiveField {
    /// Length from the first element that it depends on to the last.
    pub size: usize,
    /// Distance between the fields of two outputs that stand side by side.
    pub stride: usize,
    /// How far the first output's field begins before the input.
    pub before: usize,
}

/// The receptive field of convolutions and pools that follow each other.
///
/// size = 1 + Σ_l (kernel_l − 1)·dilation_l·Π_{m<l} stride_m; numbers too large for `usize` come out as its largest.
///
/// # Source
/// Araujo, Norris and Sim, "Computing Receptive Fields of Convolutional Neural Networks", 2019
/// # Example
/// LeNet's two convolutions, each pooled:
/// ```
/// use sconce_cnn::{Window, receptive_field};
/// let pool = Window { stride: 2, ..Window::new(2) };
/// let field = receptive_field(&[Window::new(5), pool, Window::new(5), pool]);
/// assert_eq!((field.size, field.stride), (16, 4));
/// ```
pub fn receptive_field(stack: &[Window]) -> ReceptiveField {
    let one = ReceptiveField {
        size: 1,
        stride: 1,
        before: 0,
    };
    stack.iter().fold(one, |field, window| {
        let reach = window.kernel.saturating_sub(1).saturating_mul(window.dilation);
        let further = |steps: usize| steps.saturating_mul(field.stride);
        ReceptiveField {
            size: field.size.saturating_add(further(reach)),
            before: field.before.saturating_add(further(window.padding)),
            stride: further(window.stride),
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn published_fields() {
        let conv = |kernel, stride, padding| Window {
            kernel,
            stride,
            padding,
            dilation: 1,
        };
        // VGG's point: two 3s see what a 5 sees, three what a 7 sees.
        assert_eq!(receptive_field(&[conv(3, 1, 1); 2]).size, 5);
        assert_eq!(receptive_field(&[conv(3, 1, 1); 3]).size, 7);
        assert_eq!(receptive_field(&[]).size, 1);
        // ResNet-18's last map: 435 pixels, 32 apart.
        let mut stack = vec![conv(7, 2, 3), conv(3, 2, 1)];
        stack.extend(
            [1, 2, 2, 2]
                .map(|stride| [conv(3, stride, 1), conv(3, 1, 1), conv(3, 1, 1), conv(3, 1, 1)])
                .concat(),
        );
        let field = receptive_field(&stack);
        assert_eq!((field.size, field.stride, field.before), (435, 32, 217));
        let wide = Window {
            dilation: 4,
            ..Window::new(3)
        };
        assert_eq!(receptive_field(&[wide, conv(usize::MAX, 2, 0)]).size, usize::MAX);
    }
}
