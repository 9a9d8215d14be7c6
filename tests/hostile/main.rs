//! Bad calls over the whole public face: each gives the error that names what is wrong, none panics, and no output has been touched.
//! Calls with nothing in them, an empty batch or no channels, are not bad: they give empty results.

mod convolutions;
mod empty;
mod extremes;
mod rearranging;
mod resize_convolutions;
mod resizing;
mod sizes;
mod views;
mod weights;

use std::panic::{AssertUnwindSafe, catch_unwind};

use ndarray::{Array, Array1, Dimension, ShapeBuilder};
use upsample::Error;

/// A call that cannot be done.
pub(crate) struct Row {
    name: String,
    call: Box<dyn Fn() -> Result<(), Error>>,
    fits: fn(&Error) -> bool,
    expected: &'static str,
}

impl Row {
    pub(crate) fn new(
        name: impl Into<String>,
        call: impl Fn() -> Result<(), Error> + 'static,
        fits: fn(&Error) -> bool,
        expected: &'static str,
    ) -> Self {
        Self { name: name.into(), call: Box::new(call), fits, expected }
    }
}

/// `bad!(table, "name", call, Error::Variant { .. })`: the call must give an error of that pattern.
#[macro_export]
macro_rules! bad {
    ($table:ident, $name:expr, $call:expr, $pattern:pat $(if $guard:expr)?) => {
        $table.push($crate::Row::new(
            $name,
            move || ($call).map(drop),
            |error| matches!(error, $pattern $(if $guard)?),
            stringify!($pattern $(if $guard)?),
        ))
    };
}

/// An output that must keep its content where the call fails.
pub(crate) fn untouched<D: Dimension>(
    shape: impl ShapeBuilder<Dim = D>,
    call: impl FnOnce(&mut Array<f32, D>) -> Result<(), Error>,
) -> Result<(), Error> {
    let mut output = Array::from_elem(shape, 7.5_f32);
    let result = call(&mut output);
    assert!(result.is_ok() || output.iter().all(|&value| value == 7.5), "the output has been written to");
    result
}

/// [`untouched`] for the gradient of a bias.
pub(crate) fn untouched_bias(len: usize, call: impl FnOnce(&mut Array1<f32>) -> Result<(), Error>) -> Result<(), Error> {
    untouched(len, call)
}

/// What went wrong with a row, if something did.
fn judge(row: &Row) -> Option<String> {
    match catch_unwind(AssertUnwindSafe(|| (row.call)())) {
        Err(_) => Some(format!("{}: panicked, expected {}", row.name, row.expected)),
        Ok(Ok(())) => Some(format!("{}: was done, expected {}", row.name, row.expected)),
        Ok(Err(error)) if !(row.fits)(&error) => Some(format!("{}: {error:?}, expected {}", row.name, row.expected)),
        // The message is for people: it must say something.
        Ok(Err(error)) => (error.to_string().len() < 20).then(|| format!("{}: says only {error}", row.name)),
    }
}

#[test]
fn every_bad_call_gives_its_error() {
    let tables = [
        ("resizing", resizing::table()),
        ("convolutions", convolutions::table()),
        ("resize, then convolution", resize_convolutions::table()),
        ("rearranging", rearranging::table()),
        ("sizes", sizes::table()),
        ("weights", weights::table()),
    ];
    let count: usize = tables.iter().map(|(_, table)| table.len()).sum();
    let wrong: Vec<String> =
        tables.iter().flat_map(|(part, table)| table.iter().filter_map(judge).map(move |wrong| format!("{part}: {wrong}"))).collect();
    assert!(wrong.is_empty(), "{} of {count} calls:\n{}", wrong.len(), wrong.join("\n"));
    assert!(count >= 200, "{count} calls");
    println!("{count} bad calls");
}
