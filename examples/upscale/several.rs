//! Several pictures, in parallel.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use indicatif::ProgressBar;
use rayon::prelude::*;
use upsample_examples::command_line::Failure;
use upsample_examples::picture::{self, Picture, Pixels};

use crate::options::Arguments;
use crate::{check_destination, progress_style};

/// The files to resize, those of a folder in the order of their names; `None` for at most one file, which also gets a comparison sheet.
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
        return Err("two of the pictures have the same file name, so that one result would overwrite the other".into());
    }
    let progress = ProgressBar::new(files.len() as u64).with_style(progress_style());
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
    let Picture { pixels, profile } = picture::read(file)?;
    check_destination(&out, Some(file), &pixels)?;
    let (resize, target) = (arguments.described(arguments.filter), arguments.target());
    let named = |error: upsample::Error| format!("{}: {error}", file.display());
    let pixels = match pixels {
        Pixels::U8(pixels) => Pixels::U8(resize.resize(&pixels, target).map_err(named)?),
        Pixels::U16(pixels) => Pixels::U16(resize.resize(&pixels, target).map_err(named)?),
    };
    picture::write(&out, &Picture { pixels, profile })
}
