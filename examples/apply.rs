//! Any operator of the crate on NumPy files, to hold it against your own framework.
//!
//! ```text
//! cargo run --release --example apply -- resize --input x.npy --output y.npy --method linear --scale 2,2
//! ```
//!
//! The rank comes from the file (3: N×C×L, 4: N×C×H×W, 5: N×C×D×H×W), the element type too. What cannot be done ends with exit code 2
//! and one line on standard error.

#[path = "apply/conv_transpose.rs"]
mod conv_transpose;
#[path = "apply/npy.rs"]
mod npy;
#[path = "apply/resize.rs"]
mod resize;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

#[derive(Parser)]
#[command(about = "Runs an operator of the crate on NumPy files", version)]
struct Cli {
    #[command(subcommand)]
    operator: Operator,
}

#[derive(Subcommand)]
enum Operator {
    /// Nearest, linear, cubic and other interpolation, or its gradient.
    Resize(resize::Args),
    /// Transposed convolution, or one of its gradients.
    ConvTranspose(conv_transpose::Args),
}

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) if error.use_stderr() => return refuse(error.to_string().split("\n\n").next().unwrap_or_default()),
        Err(help) => help.exit(),
    };
    let result = match cli.operator {
        Operator::Resize(args) => resize::run(&args),
        Operator::ConvTranspose(args) => conv_transpose::run(&args),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => refuse(&message),
    }
}

/// One line on standard error, and exit code 2.
fn refuse(message: &str) -> ExitCode {
    let line: Vec<&str> = message.split_whitespace().collect();
    eprintln!("apply: {}", line.join(" "));
    ExitCode::from(2)
}
