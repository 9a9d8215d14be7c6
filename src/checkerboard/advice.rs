//! Which configuration would be even.

use super::overlap::gcd;
use crate::error::{Axis, Error};
use crate::output_size::{Window, conv_transpose, solve};

/// The window nearest to `window` whose overlap is even away from the border, for the same stride, input and output size.
///
/// The kernel becomes the nearest multiple of the stride, the larger of two that are as near; the dilation, only where it has a divisor
/// in common with the stride, the nearest number that has not; the paddings are those that keep the size. A window
/// that is even stays as it is.
///
/// ```
/// use upsample::checkerboard::nearest_even;
/// use upsample::output_size::Window;
///
/// let even = nearest_even(16, &Window::new(5).stride(3).padding(1))?;
/// assert_eq!(even, Window::new(6).stride(3).padding(2).output_padding(1));
/// # Ok::<(), upsample::Error>(())
/// ```
///
/// # Errors
/// Those of [`conv_transpose`], when `window` itself has no output for this input, and those of [`solve`], when no even window is near: the
/// kernel would overflow, or no padding keeps the size.
pub fn nearest_even(input: usize, window: &Window) -> Result<Window, Error> {
    let output = conv_transpose(input, window)?;
    let stride = window.stride;
    let multiple = window.kernel / stride * stride; // 0 where the kernel is smaller than the stride
    let kernels = match multiple == window.kernel {
        true => [Some(multiple), None],
        false => nearest_first(window.kernel, Some(multiple).filter(|&kernel| kernel > 0), multiple.checked_add(stride)),
    };
    let dilations = match gcd(window.dilation, stride) {
        1 => [Some(window.dilation), None],
        _ => {
            let below = (1..window.dilation).rev().find(|&dilation| gcd(dilation, stride) == 1);
            nearest_first(window.dilation, below, (window.dilation..usize::MAX).find(|&dilation| gcd(dilation, stride) == 1))
        }
    };
    // A smaller window can be too small for the size; the larger ones never are.
    let candidates =
        dilations.into_iter().flatten().flat_map(|dilation| kernels.into_iter().flatten().map(move |kernel| (kernel, dilation)));
    let mut refused = Error::SizeOverflow { argument: "kernel", axis: Axis::Number(0) };
    for (kernel, dilation) in candidates {
        if (kernel, dilation) == (window.kernel, window.dilation) {
            return Ok(*window);
        }
        match solve(input, output, &Window { kernel, dilation, ..*window }) {
            Ok(even) => return Ok(even),
            Err(error) => refused = error,
        }
    }
    Err(refused)
}

/// Of two numbers below and above `value` the nearer one first, the larger one where they are as near.
fn nearest_first(value: usize, below: Option<usize>, above: Option<usize>) -> [Option<usize>; 2] {
    match below.zip(above) {
        Some((less, more)) if value - less < more - value => [below, above],
        _ => [above, below],
    }
}
