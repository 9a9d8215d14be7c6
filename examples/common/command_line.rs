//! Programs that end well: exit code 0, or 2 and one clear line on standard error.

use std::error::Error;
use std::process::ExitCode;

use clap::Parser;

/// Whatever went wrong, as one line says it.
pub type Failure = Box<dyn Error>;

/// Reads the command line and runs `program` with it.
pub fn run<A: Parser>(program: impl FnOnce(A) -> Result<(), Failure>) -> ExitCode {
    let result = match A::try_parse() {
        Ok(arguments) => program(arguments),
        Err(asked) if !asked.use_stderr() => asked.print().map_err(Failure::from), // --help
        Err(error) => Err(first_paragraph(&error.to_string()).into()),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("error: {}", one_line(&failure.to_string()));
            ExitCode::from(2)
        }
    }
}

/// The message itself, without the usage that follows it.
fn first_paragraph(message: &str) -> &str {
    let message = message.trim_start_matches("error:");
    message.split("\n\n").next().unwrap_or(message)
}

fn one_line(message: &str) -> String {
    message.split_whitespace().collect::<Vec<_>>().join(" ")
}
