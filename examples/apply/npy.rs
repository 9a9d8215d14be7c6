//! Reading and writing `.npy` files.

use std::fs::File;
use std::io::{BufReader, BufWriter, Read};
use std::path::Path;

use ndarray_npy::{ReadNpyExt, ReadableElement, WritableElement, WriteNpyExt};
use upsample::ndarray::ArrayD;

/// The element type of a file, as NumPy writes it: `<f4`, `|u1`, ...
pub fn element_type(path: &Path) -> Result<String, String> {
    let mut header = Vec::new();
    let file = File::open(path).map_err(|error| format!("{}: {error}", path.display()))?;
    file.take(4096).read_to_end(&mut header).map_err(|error| format!("{}: {error}", path.display()))?;
    let text = String::from_utf8_lossy(&header);
    let descr = text.split("'descr':").nth(1).and_then(|rest| rest.split('\'').nth(1));
    descr.map(str::to_owned).ok_or_else(|| format!("{}: not an .npy file of one element type", path.display()))
}

/// The array in a file.
pub fn read<A: ReadableElement>(path: &Path) -> Result<ArrayD<A>, String> {
    let file = File::open(path).map_err(|error| format!("{}: {error}", path.display()))?;
    ArrayD::read_npy(BufReader::new(file)).map_err(|error| format!("{}: {error}", path.display()))
}

/// Writes an array in C order.
pub fn write<A: WritableElement + Clone>(path: &Path, array: &ArrayD<A>) -> Result<(), String> {
    let file = File::create(path).map_err(|error| format!("{}: {error}", path.display()))?;
    array.as_standard_layout().write_npy(BufWriter::new(file)).map_err(|error| format!("{}: {error}", path.display()))
}
