//! Every engine: all element types of resizing, both of convolution, all operators that need kernels.

use upsample::ndarray::Array4;
use upsample::rearrange::{ChannelOrder, MaxPool, pixel_shuffle};
use upsample::{ConvTranspose, Convolution, Element, Error, FloatElement, Resize, ResizeConv};

fn resized<A: Element>(value: A) -> Result<A, Error> {
    let x = Array4::from_elem((1, 4, 8, 8), value);
    let mut last = value;
    for resize in [Resize::nearest(), Resize::bicubic().antialias(true), Resize::area()] {
        last = resize.plan([8, 8], [16, 5])?.forward(&x)?[[0, 0, 0, 0]];
    }
    Ok(last)
}

fn convolved<A: FloatElement>(value: A) -> Result<A, Error> {
    let (x, weight) = (Array4::from_elem((1, 4, 8, 8), value), Array4::from_elem((4, 4, 3, 3), value));
    let plan = ConvTranspose::new().stride(2).plan([8, 8], [3, 3])?;
    let y = plan.prepare(&weight)?.forward(&x, None)?;
    let (dx, dw, db) = (plan.input_gradient(&y, &weight)?, plan.weight_gradient(&x, &y)?, plan.bias_gradient(&y)?);
    let plan = Convolution::new().plan([8, 8], [3, 3])?;
    let z = plan.forward(&x, &weight, Some(&db))?;
    let plan = ResizeConv::new().factor(2).padding(1).plan([8, 8], [3, 3])?;
    let up = plan.forward(&dx, &dw, None)?;
    Ok(if z.is_empty() { value } else { up[[0, 0, 0, 0]] })
}

fn main() -> Result<(), Error> {
    let count = std::env::args().len();
    let mut sum = f64::from(resized(count as f32)?) + resized(count as f64)? + f64::from(resized(count as u8)?);
    sum += f64::from(resized(count as i8)?) + f64::from(resized(count as u16)?);
    sum += f64::from(resized(count as i16)?) + f64::from(resized(count as i32)?);
    sum += f64::from(convolved(count as f32)?) + convolved(count as f64)?;
    let x = Array4::from_elem((1, 4, 8, 8), count as f32);
    let (pooled, indices) = MaxPool::new(2).forward(&x)?;
    sum += f64::from(pixel_shuffle(&x, 2, ChannelOrder::ChannelFirst)?[[0, 0, 0, 0]] + pooled[[0, 0, 0, 0]]) + indices[[0, 0, 0, 0]] as f64;
    std::process::exit(i32::from(sum > 1e6))
}
