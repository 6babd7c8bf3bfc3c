//! Stored numbers of every type as single or double precision.

use candle_core::{
    Device,
    quantized::{GgmlDType, ggml_file::qtensor_from_ggml},
};
use half::{bf16, f16};

use super::{StoredType, error::Fault};

/// Decodes little-endian `bytes` and appends them to `out`.
pub(super) fn to_f32(dtype: &StoredType, bytes: &[u8], out: &mut Vec<f32>) -> Result<(), Fault> {
    match dtype {
        StoredType::F64 => each(bytes, out, |b| f64::from_le_bytes(b) as f32),
        StoredType::F32 => each(bytes, out, f32::from_le_bytes),
        StoredType::F16 => each(bytes, out, |b| f16::from_le_bytes(b).to_f32()),
        StoredType::BF16 => each(bytes, out, |b| bf16::from_le_bytes(b).to_f32()),
        StoredType::F8E4M3 => each(bytes, out, |[b]: [u8; 1]| e4m3(b)),
        StoredType::F8E5M2 => each(bytes, out, |[b]: [u8; 1]| e5m2(b)),
        StoredType::I64 => each(bytes, out, |b| i64::from_le_bytes(b) as f32),
        StoredType::I32 => each(bytes, out, |b| i32::from_le_bytes(b) as f32),
        StoredType::I16 => each(bytes, out, |b| f32::from(i16::from_le_bytes(b))),
        StoredType::I8 => each(bytes, out, |b| f32::from(i8::from_le_bytes(b))),
        StoredType::U64 => each(bytes, out, |b| u64::from_le_bytes(b) as f32),
        StoredType::U32 => each(bytes, out, |b| u32::from_le_bytes(b) as f32),
        StoredType::U16 => each(bytes, out, |b| f32::from(u16::from_le_bytes(b))),
        StoredType::U8 => each(bytes, out, |[b]: [u8; 1]| f32::from(b)),
        StoredType::Bool => each(bytes, out, |[b]: [u8; 1]| f32::from(b != 0)),
        StoredType::Quantised(name) => out.extend(dequantise(name, bytes)?),
    }
    Ok(())
}

/// As [`to_f32`], in double precision: exact for F64 and for integers up to 2^53.
pub(super) fn to_f64(dtype: &StoredType, bytes: &[u8], out: &mut Vec<f64>) -> Result<(), Fault> {
    match dtype {
        StoredType::F64 => each(bytes, out, f64::from_le_bytes),
        StoredType::I64 => each(bytes, out, |b| i64::from_le_bytes(b) as f64),
        StoredType::U64 => each(bytes, out, |b| u64::from_le_bytes(b) as f64),
        StoredType::I32 => each(bytes, out, |b| f64::from(i32::from_le_bytes(b))),
        StoredType::U32 => each(bytes, out, |b| f64::from(u32::from_le_bytes(b))),
        _ => {
            let mut single = Vec::new();
            to_f32(dtype, bytes, &mut single)?;
            out.extend(single.into_iter().map(f64::from));
        }
    }
    Ok(())
}

/// Bytes that must not be torn apart when a tensor is read in pieces.
pub(super) fn unit(dtype: &StoredType) -> Result<usize, Fault> {
    match dtype {
        StoredType::Quantised(name) => Ok(quantisation(name).ok_or_else(|| unknown(name))?.type_size()),
        other => Ok(other.size().unwrap_or(1)),
    }
}

/// The bytes of `numbers` stored as `dtype`, a float type; `None` for types that cannot hold weights.
pub(super) fn from_f32(dtype: &StoredType, numbers: &[f32]) -> Option<Vec<u8>> {
    Some(match dtype {
        StoredType::F64 => numbers.iter().flat_map(|&x| f64::from(x).to_le_bytes()).collect(),
        StoredType::F32 => numbers.iter().flat_map(|x| x.to_le_bytes()).collect(),
        StoredType::F16 => numbers.iter().flat_map(|&x| f16::from_f32(x).to_le_bytes()).collect(),
        StoredType::BF16 => numbers.iter().flat_map(|&x| bf16::from_f32(x).to_le_bytes()).collect(),
        _ => return None,
    })
}

fn each<const N: usize, T>(bytes: &[u8], out: &mut Vec<T>, decode: impl Fn([u8; N]) -> T) {
    let (numbers, _) = bytes.as_chunks::<N>();
    out.extend(numbers.iter().map(|&number| decode(number)));
}

/// Exponent bias 7, three bits of fraction; only 0x7f and 0xff are NaN, there is no infinity.
fn e4m3(bits: u8) -> f32 {
    let (exponent, fraction) = (i32::from(bits >> 3 & 15), f32::from(bits & 7));
    let magnitude = match (exponent, bits & 7) {
        (15, 7) => f32::NAN,
        (0, _) => fraction / 8.0 * 2f32.powi(-6),
        _ => (1.0 + fraction / 8.0) * 2f32.powi(exponent - 7),
    };
    if bits & 0x80 == 0 { magnitude } else { -magnitude }
}

/// The upper half of an IEEE half.
fn e5m2(bits: u8) -> f32 {
    f16::from_bits(u16::from(bits) << 8).to_f32()
}

/// The block quantisations that candle dequantises, by their GGUF number and name.
pub(super) const QUANTISATIONS: [(u32, &str, GgmlDType); 10] = [
    (2, "Q4_0", GgmlDType::Q4_0),
    (3, "Q4_1", GgmlDType::Q4_1),
    (6, "Q5_0", GgmlDType::Q5_0),
    (7, "Q5_1", GgmlDType::Q5_1),
    (8, "Q8_0", GgmlDType::Q8_0),
    (10, "Q2_K", GgmlDType::Q2K),
    (11, "Q3_K", GgmlDType::Q3K),
    (12, "Q4_K", GgmlDType::Q4K),
    (13, "Q5_K", GgmlDType::Q5K),
    (14, "Q6_K", GgmlDType::Q6K),
];

/// The quantisation of that GGUF name.
pub(super) fn quantisation(name: &str) -> Option<GgmlDType> {
    QUANTISATIONS.iter().find(|(_, known, _)| *known == name).map(|&(_, _, kind)| kind)
}

fn unknown(name: &str) -> Fault {
    Fault::unsupported(format!("the quantisation {name} is not readable"), "Convert the file to F16 or Q8_0")
}

/// `bytes` are whole blocks, at the start of an allocation: candle reads them in place as aligned structs.
fn dequantise(name: &str, bytes: &[u8]) -> Result<Vec<f32>, Fault> {
    let kind = quantisation(name).ok_or_else(|| unknown(name))?;
    let count = bytes.len() / kind.type_size() * kind.block_size();
    qtensor_from_ggml(kind, bytes, vec![count], &Device::Cpu)
        .and_then(|tensor| tensor.dequantize(&Device::Cpu)?.to_vec1())
        .map_err(|error| Fault::broken(format!("its {name} blocks do not unpack ({error})")))
}
