//! The least that a program can ask for.

fn main() -> Result<(), upsample::Error> {
    let x = upsample::ndarray::Array4::<f32>::from_elem((1, 1, 8, 8), std::env::args().len() as f32);
    let y = upsample::bilinear(&x, 2.0)?;
    std::process::exit(i32::from(y[[0, 0, 0, 0]] > 100.0))
}
