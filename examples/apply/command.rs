//! The command line, and what becomes of it.

mod conv_transpose;
mod npy;
mod resize;

use std::ffi::OsString;
use std::path::Path;

use clap::error::ErrorKind;
use clap::{Parser, Subcommand};
use upsample::{Error, PerAxis};

#[derive(Parser)]
#[command(name = "apply", version, about = "Runs an operator of the crate on NumPy files", after_help = FILES)]
struct Cli {
    #[command(subcommand)]
    operator: Operator,
}

const FILES: &str = "Files are .npy, of any byte order, in C or Fortran order; results are little-endian, in C order. \
                     What cannot be done ends with exit code 2 and one line on standard error, and leaves the output file as it was.";

#[derive(Subcommand)]
enum Operator {
    /// Nearest, linear, cubic and other interpolation, or its gradient.
    ///
    /// Nearest copies elements of every type: bool, integers, floats and complex numbers. The other methods compute with <f2, <f4, <f8,
    /// |u1, <u2, |i1, <i2 and <i4; gradients exist for <f2, <f4 and <f8. 16-bit floats are summed in 32 bits and rounded at the end.
    Resize(resize::Args),
    /// Transposed convolution, or one of its gradients.
    ///
    /// All files of a call have one type: <f2, <f4 or <f8. 16-bit floats are summed in 32 bits and rounded at the end.
    ConvTranspose(conv_transpose::Args),
}

/// Runs a command line, the program's name first. The answer is help where that was asked for; a refusal is one line.
pub fn run(arguments: impl IntoIterator<Item = OsString>) -> Result<Option<String>, String> {
    let result = match Cli::try_parse_from(arguments) {
        Ok(Cli { operator: Operator::Resize(args) }) => resize::run(&args),
        Ok(Cli { operator: Operator::ConvTranspose(args) }) => conv_transpose::run(&args),
        Err(error) if error.kind() == ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => {
            Err("no operator is named: resize or conv-transpose; --help tells more".to_owned())
        }
        Err(error) if error.use_stderr() => Err(error.to_string().split("\n\n").next().unwrap_or_default().to_owned()),
        Err(help) => return Ok(Some(help.to_string())),
    };
    result.map(|()| None).map_err(|message| message.split_whitespace().collect::<Vec<_>>().join(" "))
}

/// One number for all axes, or one for each.
fn per_axis(numbers: &[usize]) -> PerAxis<usize> {
    match *numbers {
        [all] => PerAxis::All(all),
        _ => PerAxis::Each(numbers.to_vec()),
    }
}

/// The line that refuses the first rule that was broken.
fn refuse_broken(rules: &[(bool, &str)]) -> Result<(), String> {
    match rules.iter().find(|(broken, _)| *broken) {
        Some((_, message)) => Err((*message).to_owned()),
        None => Ok(()),
    }
}

/// The message of an error, with the file in the place of the argument that it holds.
fn with_files(error: &Error, files: &[(&str, &Path)]) -> String {
    let message = error.to_string();
    for (argument, file) in files {
        if let Some(rest) = message.strip_prefix(argument).filter(|rest| rest.starts_with(": ")) {
            return format!("{}{rest}", file.display());
        }
    }
    message
}
