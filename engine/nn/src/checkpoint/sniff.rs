//! Which format a file is in, told from its first bytes; the extension only decides what they leave open.

use super::{
    CheckpointError, Format, Parsed, archive, error::Fault, gguf, numpy, onnx, pytorch, safetensors, source::Source,
};

pub(super) fn parse(source: &Source) -> Result<(Format, Parsed), CheckpointError> {
    let mut start = vec![0; source.len().min(64) as usize];
    source.read_exact_at(&mut start, 0).map_err(|fault| fault.at_path(Format::Safetensors, source.path()))?;
    let extension = source.path().extension().and_then(|e| e.to_str()).unwrap_or_default().to_ascii_lowercase();

    let (format, parsed) = if start.starts_with(gguf::MAGIC) {
        (Format::Gguf, gguf::parse(source))
    } else if start.starts_with(numpy::MAGIC) {
        (Format::Npz, numpy::parse_file(source))
    } else if start.starts_with(b"PK\x03\x04") || start.starts_with(b"PK\x05\x06") {
        zipped(source, &extension)
    } else if start.starts_with(pytorch::LEGACY_MAGIC) {
        (Format::PyTorch, pytorch::parse_legacy(source))
    } else if (safetensors::looks_like(&start) && extension != "onnx") || extension == "safetensors" {
        (Format::Safetensors, safetensors::parse(source))
    } else if start.starts_with(b"\x80") && start.get(1).is_some_and(|protocol| (2..=5).contains(protocol)) {
        let what = "this is a plain Python pickle, not a checkpoint saved by torch.save";
        (Format::PyTorch, Err(Fault::unsupported(what, pytorch::RESAVE)))
    } else if onnx::looks_like(&start) || extension == "onnx" {
        (Format::Onnx, onnx::parse(source))
    } else {
        (Format::Safetensors, Err(Fault::Unrecognised(describe(&start))))
    };
    parsed.map(|parsed| (format, parsed)).map_err(|fault| fault.at_path(format, source.path()))
}

/// A zip archive is PyTorch's, NumPy's, or none of ours.
fn zipped(source: &Source, extension: &str) -> (Format, Result<Parsed, Fault>) {
    let likely = if matches!(extension, "npz" | "npy") { Format::Npz } else { Format::PyTorch };
    let (members, skipped) = match archive::members(source) {
        Ok(found) => found,
        Err(fault) => return (likely, Err(fault)),
    };
    let named = |ending: &str| {
        members.iter().map(|m| &m.name).chain(skipped.iter().map(|(name, _)| name)).any(|name| name.ends_with(ending))
    };
    let (format, parsed) = if named("data.pkl") {
        (Format::PyTorch, pytorch::parse(source, &members))
    } else if named(".npy") {
        (Format::Npz, numpy::parse_members(source, &members))
    } else {
        let names: Vec<_> = members.iter().take(3).map(|m| m.name.chars().take(60).collect::<String>()).collect();
        let holds = if names.is_empty() { "nothing".to_owned() } else { names.join(", ") };
        return (likely, Err(Fault::Unrecognised(format!("it is a zip archive that holds no tensors but {holds}"))));
    };
    let parsed = parsed.map(|mut parsed| {
        parsed.skipped.extend(skipped);
        parsed
    });
    (format, parsed)
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
