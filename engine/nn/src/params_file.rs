//! Writing safetensors with the same bytes each time: the library keeps metadata in a hash map.

use std::collections::BTreeMap;

use serde_json::json;

use crate::params::ParamError;

/// Header and data of f32 tensors given as (name, shape, little-endian bytes), in that order.
pub(crate) fn write(
    tensors: &[(&str, Vec<usize>, Vec<u8>)],
    metadata: &BTreeMap<String, String>,
) -> Result<Vec<u8>, ParamError> {
    // Written by hand: the order of tensors must not depend on how the JSON library keeps its maps.
    let mut entries = Vec::with_capacity(tensors.len() + 1);
    if !metadata.is_empty() {
        let pairs: Vec<String> =
            metadata.iter().map(|(key, value)| format!("{}:{}", json!(key), json!(value))).collect();
        entries.push(format!("\"__metadata__\":{{{}}}", pairs.join(",")));
    }
    let mut at = 0;
    for (name, shape, data) in tensors {
        let end = at + data.len();
        entries
            .push(format!("{}:{{\"dtype\":\"F32\",\"shape\":{shape:?},\"data_offsets\":[{at},{end}]}}", json!(name)));
        at = end;
    }
    let mut header = format!("{{{}}}", entries.join(",")).into_bytes();
    // Data begins at a multiple of eight, as the format asks.
    header.resize(header.len().next_multiple_of(8), b' ');
    let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
    bytes.extend(header);
    for (_, _, data) in tensors {
        bytes.extend(data);
    }
    safetensors::SafeTensors::deserialize(&bytes)?;
    Ok(bytes)
}
