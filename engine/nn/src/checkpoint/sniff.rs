//! Which format a file is in, told from its first bytes; the extension only decides what they leave open.

use super::{CheckpointError, Format, Parsed, error::Fault, safetensors, source::Source};

pub(super) fn parse(source: &Source) -> Result<(Format, Parsed), CheckpointError> {
    let mut start = vec![0; source.len().min(64) as usize];
    source.read_exact_at(&mut start, 0).map_err(|fault| fault.at_path(Format::Safetensors, source.path()))?;
    let extension = source.path().extension().and_then(|e| e.to_str()).unwrap_or_default().to_ascii_lowercase();

    let (format, parsed) = if safetensors::looks_like(&start) || extension == "safetensors" {
        (Format::Safetensors, safetensors::parse(source))
    } else {
        (Format::Safetensors, Err(Fault::Unrecognised(describe(&start))))
    };
    parsed.map(|parsed| (format, parsed)).map_err(|fault| fault.at_path(format, source.path()))
}

/// What a file that is no checkpoint looks like, in words.
fn describe(start: &[u8]) -> String {
    let known: [(&[u8], &str); 7] = [
        (b"\x89PNG", "it is a PNG picture"),
        (b"\xff\xd8\xff", "it is a JPEG picture"),
        (b"\x1f\x8b", "it is compressed with gzip; unpack it first"),
        (b"\x89HDF", "it is an HDF5 file (Keras); save the weights as .npz or safetensors first"),
        (b"version https://git-lfs", "it is a Git LFS pointer; run \"git lfs pull\" to fetch the file itself"),
        (b"<", "it is a web page or XML; the download may have saved an error page"),
        (b"{", "it is JSON"),
    ];
    match known.iter().find(|(magic, _)| start.starts_with(magic)) {
        Some((_, words)) => (*words).to_owned(),
        None if start.iter().all(|b| matches!(b, b'\t' | b'\r' | b'\n' | 0x20..0x7f)) => "it is a text file".to_owned(),
        None => "its first bytes belong to no known format".to_owned(),
    }
}
