//! Reading and writing `.npy` files.
//!
//! By hand rather than by a library: nearest copies elements of types that Rust does not have, and 16-bit floats are among them.

use std::fmt;
use std::fs::{self, File};
use std::io::{self, BufReader, BufWriter, Read, Write};
use std::path::{Path, PathBuf};

use half::f16;
use upsample::ndarray::{ArrayD, ShapeBuilder};

/// An element type, as NumPy writes it: `<f4`, `|u1`, ... Bytes are little-endian as soon as they are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Kind {
    /// `b`, `i`, `u`, `f` or `c`.
    pub class: char,
    /// Bytes of an element.
    pub size: usize,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}{}", if self.size == 1 { '|' } else { '<' }, self.class, self.size)
    }
}

/// What a file says of its array.
#[derive(Debug)]
pub struct Header {
    pub kind: Kind,
    pub shape: Vec<usize>,
    big_endian: bool,
    fortran_order: bool,
}

/// An array whose elements are bytes, in the order of the file.
pub struct Array {
    pub header: Header,
    pub bytes: Vec<u8>,
}

/// What a file says of its array; the elements are not read.
pub fn header(path: &Path) -> Result<Header, String> {
    open(path).and_then(|mut file| read_header(&mut file)).map_err(|problem| named(path, problem))
}

/// The array in a file.
pub fn read(path: &Path) -> Result<Array, String> {
    open(path).and_then(|mut file| read_array(&mut file)).map_err(|problem| named(path, problem))
}

fn named(path: &Path, problem: impl fmt::Display) -> String {
    format!("{}: {problem}", path.display())
}

fn open(path: &Path) -> Result<BufReader<File>, String> {
    File::open(path).map(BufReader::new).map_err(|error| error.to_string())
}

/// The magic bytes, the version, the length of the header and the header, which is a dictionary of Python.
fn read_header(file: &mut impl Read) -> Result<Header, String> {
    let foreign = |error: io::Error| match error.kind() {
        io::ErrorKind::UnexpectedEof => "not an .npy file".to_owned(),
        _ => error.to_string(),
    };
    let mut start = [0; 8];
    file.read_exact(&mut start).map_err(foreign)?;
    let length = match &start {
        [0x93, b'N', b'U', b'M', b'P', b'Y', 1, _] => number::<2>(file).map(|bytes| u32::from(u16::from_le_bytes(bytes))),
        [0x93, b'N', b'U', b'M', b'P', b'Y', 2 | 3, _] => number::<4>(file).map(u32::from_le_bytes),
        _ => return Err("not an .npy file".to_owned()),
    };
    let length = u64::from(length.map_err(foreign)?);
    let mut text = Vec::new();
    file.take(length).read_to_end(&mut text).map_err(|error| error.to_string())?;
    if text.len() as u64 != length {
        return Err("not an .npy file: it ends within its header".to_owned());
    }
    parse_header(&String::from_utf8_lossy(&text))
}

fn number<const BYTES: usize>(file: &mut impl Read) -> io::Result<[u8; BYTES]> {
    let mut bytes = [0; BYTES];
    file.read_exact(&mut bytes)?;
    Ok(bytes)
}

/// `{'descr': '<f4', 'fortran_order': False, 'shape': (1, 2), }`
fn parse_header(text: &str) -> Result<Header, String> {
    let field = |key: &str| {
        let after = ['\'', '"'].iter().find_map(|quote| text.split_once(&format!("{quote}{key}{quote}")))?.1;
        after.trim_start().strip_prefix(':').map(str::trim_start).ok_or(()).ok()
    };
    let missing = |key| format!("the header has no {key}");
    let descr = field("descr").ok_or_else(|| missing("descr"))?;
    let order = field("fortran_order").ok_or_else(|| missing("fortran_order"))?;
    let shape = field("shape").ok_or_else(|| missing("shape"))?;
    let (kind, big_endian) = parse_kind(descr)?;
    let sizes = shape.strip_prefix('(').and_then(|rest| rest.split_once(')')).ok_or("the header's shape is not a tuple")?.0;
    let sizes = sizes.split(',').map(|size| size.trim().trim_end_matches('L')).filter(|size| !size.is_empty());
    let sizes = sizes.map(|size| size.parse().map_err(|_| format!("the header's shape has the size {size}")));
    Ok(Header { kind, big_endian, fortran_order: order.starts_with("True"), shape: sizes.collect::<Result<_, _>>()? })
}

/// The type, and whether its bytes are big-endian.
fn parse_kind(descr: &str) -> Result<(Kind, bool), String> {
    let quote = descr.chars().next().filter(|quote| matches!(quote, '\'' | '"')).ok_or("elements of several fields are not supported")?;
    let name = descr[1..].split(quote).next().unwrap_or_default();
    let unknown = || format!("elements of type {name} are not supported: expected bool, integers, floats or complex numbers");
    let (order, rest) = name.split_at_checked(1).ok_or_else(unknown)?;
    let (class, size) = rest.split_at_checked(1).ok_or_else(unknown)?;
    let kind = match (class.chars().next(), size.parse()) {
        (Some(class @ 'b'), Ok(size @ 1)) => Kind { class, size },
        (Some(class @ ('i' | 'u')), Ok(size @ (1 | 2 | 4 | 8))) => Kind { class, size },
        (Some(class @ 'f'), Ok(size @ (2 | 4 | 8))) => Kind { class, size },
        (Some(class @ 'c'), Ok(size @ (8 | 16))) => Kind { class, size },
        _ => return Err(unknown()),
    };
    match order {
        "<" | "|" => Ok((kind, false)),
        "=" => Ok((kind, cfg!(target_endian = "big"))),
        ">" => Ok((kind, true)),
        _ => Err(unknown()),
    }
}

fn read_array(file: &mut impl Read) -> Result<Array, String> {
    let header = read_header(file)?;
    let size = header.shape.iter().try_fold(header.kind.size as u64, |bytes, &size| bytes.checked_mul(size as u64));
    let size = size.ok_or_else(|| format!("the shape {:?} is larger than memory can be", header.shape))?;
    let mut bytes = Vec::new();
    // What the file has, not what its header promises: only that much memory is taken.
    file.take(size.saturating_add(1)).read_to_end(&mut bytes).map_err(|error| error.to_string())?;
    if bytes.len() as u64 != size {
        let found = if bytes.len() as u64 > size { "more".to_owned() } else { bytes.len().to_string() };
        return Err(format!("{found} bytes follow the header, its shape {:?} of {} needs {size}", header.shape, header.kind));
    }
    if header.big_endian {
        let parts = if header.kind.class == 'c' { 2 } else { 1 };
        bytes.chunks_exact_mut(header.kind.size / parts).for_each(<[u8]>::reverse);
    }
    Ok(Array { header, bytes })
}

impl Array {
    /// The elements as numbers.
    pub fn numbers<A: Number>(&self) -> Result<ArrayD<A>, String> {
        let kind = self.header.kind;
        self.arranged(self.bytes.chunks_exact(kind.size).map(|bytes| A::from_bytes(bytes, kind)).collect())
    }

    /// One number for each element, in the order of the file.
    pub fn arranged<A>(&self, elements: Vec<A>) -> Result<ArrayD<A>, String> {
        let shape = self.header.shape.as_slice().set_f(self.header.fortran_order);
        ArrayD::from_shape_vec(shape, elements).map_err(|error| error.to_string())
    }
}

/// A type of Rust that elements can have.
pub trait Number: Copy {
    /// From little-endian bytes of type `kind`.
    fn from_bytes(bytes: &[u8], kind: Kind) -> Self;

    /// As little-endian bytes of type `kind`.
    fn write(self, kind: Kind, to: &mut dyn Write) -> io::Result<()>;
}

macro_rules! number {
    ($($type:ty),*) => {$(
        impl Number for $type {
            fn from_bytes(bytes: &[u8], _: Kind) -> Self {
                bytes.try_into().map(Self::from_le_bytes).unwrap_or_default()
            }

            fn write(self, _: Kind, to: &mut dyn Write) -> io::Result<()> {
                to.write_all(&self.to_le_bytes())
            }
        }
    )*};
}
number!(f64, u8, u16, i8, i16, i32);

/// 16-bit floats, too: the crate sums them in `f32` and rounds once, at the end.
impl Number for f32 {
    fn from_bytes(bytes: &[u8], _: Kind) -> Self {
        match *bytes {
            [a, b] => f16::from_le_bytes([a, b]).to_f32(),
            _ => bytes.try_into().map(Self::from_le_bytes).unwrap_or_default(),
        }
    }

    fn write(self, kind: Kind, to: &mut dyn Write) -> io::Result<()> {
        if kind.size == 2 { to.write_all(&f16::from_f32(self).to_le_bytes()) } else { to.write_all(&self.to_le_bytes()) }
    }
}

/// Writes an array of numbers in C order.
pub fn write<A: Number>(path: &Path, kind: Kind, array: &ArrayD<A>) -> Result<(), String> {
    write_elements(path, kind, array.shape(), &|to| array.iter().try_for_each(|&value| value.write(kind, to)))
}

/// Writes an array whose elements `elements` writes, in C order. The file is there when it is whole, and until then the old one is.
pub fn write_elements(path: &Path, kind: Kind, shape: &[usize], elements: &dyn Fn(&mut dyn Write) -> io::Result<()>) -> Result<(), String> {
    let written = |file: File| {
        let mut to = BufWriter::new(file);
        to.write_all(&header_bytes(kind, shape))?;
        elements(&mut to)?;
        to.flush()
    };
    // A pipe or a terminal is written to; a link goes on leading to its file.
    let result = match fs::canonicalize(path) {
        Ok(there) if !there.is_file() => File::create(there).and_then(written),
        Ok(there) => replace(&there, written),
        Err(_) => replace(path, written),
    };
    result.map_err(|error| named(path, error))
}

fn replace(path: &Path, written: impl FnOnce(File) -> io::Result<()>) -> io::Result<()> {
    let beside = beside(path)?;
    let result = File::create_new(&beside).and_then(written).and_then(|()| fs::rename(&beside, path));
    if result.is_err() {
        let _ = fs::remove_file(&beside);
    }
    result
}

/// A name for the file until it is whole.
fn beside(path: &Path) -> io::Result<PathBuf> {
    let name = path.file_name().ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, "not the name of a file"))?;
    Ok(path.with_file_name(format!(".{}.{}", name.to_string_lossy(), std::process::id())))
}

/// Version 1, padded to a multiple of 64 bytes as NumPy does.
fn header_bytes(kind: Kind, shape: &[usize]) -> Vec<u8> {
    let sizes: String = shape.iter().map(|size| format!("{size}, ")).collect();
    let sizes = if shape.len() == 1 { sizes.trim_end() } else { sizes.trim_end_matches(", ") };
    let text = format!("{{'descr': '{kind}', 'fortran_order': False, 'shape': ({sizes}), }}");
    let total = (10 + text.len() + 1).next_multiple_of(64);
    let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
    bytes.extend(u16::try_from(total - 10).unwrap_or(u16::MAX).to_le_bytes());
    bytes.extend(text.as_bytes());
    bytes.resize(total - 1, b' ');
    bytes.push(b'\n');
    bytes
}
