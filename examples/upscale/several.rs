//! Several pictures, in parallel.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use indicatif::{ProgressBar, ProgressStyle};
use rayon_crate::prelude::*;
use upsample_examples::command_line::Failure;
use upsample_examples::picture::{self, Picture, Pixels};

use crate::options::Arguments;

/// The files that are meant, those of a folder in the order of their names; `None` where one file is, which is treated apart.
pub fn listed(given: &[PathBuf]) -> Result<Option<Vec<PathBuf>>, Failure> {
    if given.len() <= 1 && !given.iter().any(|path| path.is_dir()) {
        return Ok(None);
    }
    let mut files = Vec::new();
    for path in given {
        if path.is_dir() {
            files.extend(in_folder(path).map_err(|error| format!("{}: {error}", path.display()))?);
        } else {
            files.push(path.clone());
        }
    }
    if files.is_empty() { Err("there are no pictures in the folder".into()) } else { Ok(Some(files)) }
}

/// The pictures of a folder, not of those in it.
fn in_folder(folder: &Path) -> Result<Vec<PathBuf>, Failure> {
    let entries = fs::read_dir(folder)?.map(|entry| entry.map(|entry| entry.path())).collect::<Result<Vec<_>, _>>()?;
    let mut files: Vec<PathBuf> = entries.into_iter().filter(|path| path.is_file() && picture::format_of(path).is_ok()).collect();
    files.sort();
    Ok(files)
}

/// Resizes every file into the folder `--out`, under its own name. Those that fail do not stop the others.
pub fn run(files: &[PathBuf], arguments: &Arguments) -> Result<(), Failure> {
    let folder = arguments.out.clone().unwrap_or_else(|| PathBuf::from("out"));
    let mut names: Vec<_> = files.iter().map(|file| file.file_name()).collect();
    names.sort();
    if names.windows(2).any(|pair| pair[0] == pair[1]) {
        return Err("two of the pictures have the same name; results are told apart by it".into());
    }
    let style = ProgressStyle::with_template("{bar:30} {pos}/{len} {elapsed} {msg}").unwrap_or_else(|_| ProgressStyle::default_bar());
    let progress = ProgressBar::new(files.len() as u64).with_style(style);
    let failures = Mutex::new(Vec::new());
    files.par_iter().for_each(|file| {
        if let Err(failure) = one(file, &folder, arguments)
            && let Ok(mut failures) = failures.lock()
        {
            failures.push(failure.to_string());
        }
        progress.inc(1);
    });
    progress.finish_and_clear();
    let mut failures = failures.into_inner().unwrap_or_default();
    failures.sort();
    match failures.first() {
        Some(first) => Err(format!("{} of {} pictures failed, among them {first}", failures.len(), files.len()).into()),
        None => {
            println!("wrote {} pictures to {}", files.len(), folder.display());
            Ok(())
        }
    }
}

fn one(file: &Path, folder: &Path, arguments: &Arguments) -> Result<(), Failure> {
    let out = folder.join(file.file_name().unwrap_or_default());
    let same = matches!((file.canonicalize(), out.canonicalize()), (Ok(a), Ok(b)) if a == b);
    if same {
        return Err(format!("{}: this would overwrite the input", out.display()).into());
    }
    let Picture { pixels, profile } = picture::read(file)?;
    picture::check_format(&out, &pixels)?;
    let (resize, target) = (arguments.described(arguments.filter), arguments.target());
    let named = |error: upsample::Error| format!("{}: {error}", file.display());
    let pixels = match pixels {
        Pixels::U8(pixels) => Pixels::U8(resize.resize(&pixels, target).map_err(named)?),
        Pixels::U16(pixels) => Pixels::U16(resize.resize(&pixels, target).map_err(named)?),
    };
    picture::write(&out, &Picture { pixels, profile })
}
