//! How a result is put into an array that is there already.

/// How a gradient is put into an array of yours.
///
/// ```
/// use ndarray::Array4;
/// use upsample::{ConvTranspose, Update};
///
/// let (x, dy) = (Array4::<f32>::ones((1, 2, 4, 4)), Array4::<f32>::ones((1, 3, 8, 8)));
/// let plan = ConvTranspose::new().stride(2).plan([4, 4], [2, 2])?;
/// let mut dw = Array4::zeros((2, 3, 2, 2));
/// plan.weight_gradient_into(&x, &dy, &mut dw, Update::Overwrite)?;
/// assert_eq!(dw, plan.weight_gradient(&x, &dy)?);
/// plan.weight_gradient_into(&x, &dy, &mut dw, Update::Add)?; // of two batches together
/// assert_eq!(dw, 2.0 * plan.weight_gradient(&x, &dy)?);
/// # Ok::<(), upsample::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Update {
    /// The gradient replaces what the array holds.
    Overwrite,
    /// The gradient is added to what the array holds, as an optimiser accumulates gradients.
    Add,
}
