//! What a user's crate calls: a picture of floats, one of bytes, a layer and its gradient.

use upsample::ndarray::Array4;
use upsample::{ConvTranspose, Error, Resize};

fn main() -> Result<(), Error> {
    let count = std::env::args().len();
    let x = Array4::<f32>::from_elem((1, 2, 8, 8), count as f32);
    let y = upsample::bilinear(&x, 2.0)?;
    let bytes = Array4::<u8>::from_elem((1, 2, 8, 8), count as u8);
    let plan = Resize::bicubic().plan([8, 8], [16, 16])?;
    let bytes = plan.forward(&bytes)?;
    let weight = Array4::<f32>::ones((2, 3, 4, 4));
    let layer = ConvTranspose::new().stride(2).padding(1);
    let z = layer.forward(&x, &weight, None)?;
    let dw = layer.weight_gradient(&x, &z, [4, 4])?;
    let sum = y.sum() + z.sum() + dw.sum() + f32::from(bytes[[0, 0, 0, 0]]);
    std::process::exit(i32::from(sum > 1e6))
}
